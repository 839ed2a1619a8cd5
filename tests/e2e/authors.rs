//! Writing a tool in each language, as `host/docs/authors.md` says it: every command of the page
//! is typed as it stands there, and an agent calls what came of it.

mod dev;
mod faults;
mod reasons;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::fake_model::{FakeModel, call, text};
use tests::server::{Server, binary, config, say, session};
use tokio::process::Command;

/// The author's guide.
const PAGE: &str = include_str!("../../host/docs/authors.md");

/// How long everything that one chapter says may take: interpreters are compiled twice, and the machine may be busy.
const CHAPTER: Duration = Duration::from_secs(900);

/// How long a component may take to come into service.
const COMPILED: Duration = Duration::from_secs(900);

/// A shell in a folder, in which `wardian` is the server under test and nothing is known of the one who tests.
fn shell(folder: &Path, script: &str) -> Result<Command> {
    let mut command = Command::new("bash");
    let binaries = binary()?.parent().context("the binary lies in a folder")?.to_owned();
    let path = std::env::join_paths([binaries].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())))?;
    command.args(["-euo", "pipefail", "-c", script]).current_dir(folder).env("PATH", path).kill_on_drop(true);
    for variable in ["CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "OPENAI_API_KEY", "OPENAI_BASE_URL"]
    {
        command.env_remove(variable);
    }
    // What one test compiles is no other's business, but the compilers are everybody's.
    command.env("XDG_CACHE_HOME", folder.join(".cache"));
    Ok(command)
}

/// What a script prints, on both streams together; it has to succeed.
async fn typed(folder: &Path, script: &str) -> Result<String> {
    let began = Instant::now();
    let output = tokio::time::timeout(CHAPTER, shell(folder, &format!("exec 2>&1\n{script}"))?.output()).await;
    let output = output.with_context(|| format!("it does not end:\n{script}"))??;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{script}\n{printed}({:.1} s)", began.elapsed().as_secs_f64());
    anyhow::ensure!(output.status.success(), "{}:\n{script}\n{printed}", output.status);
    Ok(printed)
}

/// The commands of a chapter of the page, in their order.
fn commands(heading: &str) -> Result<String> {
    let mut blocks = Vec::new();
    let mut within = false;
    let mut open: Option<(bool, String)> = None;
    for line in PAGE.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some((is_shell, block)), Some(_)) => {
                if *is_shell && within {
                    blocks.push(std::mem::take(block));
                }
                open = None;
            }
            (Some((_, block)), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, Some(kind)) => open = Some((kind == "sh", String::new())),
            (None, None) if line.starts_with('#') => within = line.trim_start_matches('#').trim() == heading,
            (None, None) => {}
        }
    }
    anyhow::ensure!(!blocks.is_empty(), "the page has no commands under {heading:?}");
    Ok(blocks.concat())
}

/// Follows a language's chapter in an empty folder: the project, and what was printed.
async fn follow(heading: &str, language: &str) -> Result<(tempfile::TempDir, PathBuf)> {
    let place = tempfile::tempdir()?;
    let printed = typed(place.path(), &commands(heading)?).await?;
    assert!(printed.contains("Hello, Ada"), "{language} does not greet: {printed}");
    let project = place.path().join("greeter");
    assert!(project.join("dist/greeter.wasm").is_file(), "{language} leaves no component: {printed}");
    Ok((place, project))
}

/// An agent calls a tool of a component that lies in the plugin directory of a server: its output.
async fn called_by_an_agent(component: &Path, tool: &str, arguments: Value) -> Result<Value> {
    let plugin = component.file_stem().and_then(|stem| stem.to_str()).context("a component has a name")?.to_owned();
    let model = FakeModel::start().await?;
    let server = Server::start(&config(&model.base_url)).await?;
    server.install(&plugin, &std::fs::read(component)?)?;
    in_service(&server, &plugin).await?;
    let bound = json!({ tool: {"type": "dynamic_vectara", "tool_id": format!("tol_{plugin}_{tool}")} });
    let session = session(&server.owner(), "a1", &bound).await?;
    model.queue([call(tool, arguments), text("done")]);
    let answer = server.owner().post(&format!("{session}/events"), &say("go")).await?.expect(201)?;
    let output = answer["events"].as_array().context("events")?.iter().find(|event| event["type"] == "tool_output");
    let output = output.with_context(|| format!("no output: {answer}\n{}", server.output()))?;
    assert_eq!(output["error"], false, "{output}\n{}", server.output());
    for line in server.output().lines().filter(|line| line.contains("tool call ended")) {
        println!("{plugin}: {}", line.split_once("ended: ").map_or(line, |(_, figures)| figures));
    }
    Ok(output["tool_output"].clone())
}

async fn in_service(server: &Server, plugin: &str) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < COMPILED {
        let listed = server.owner().get("/operator/v1/plugins").await?.expect(200)?;
        let known = listed["plugins"].as_array().into_iter().flatten().find(|it| it["name"] == plugin);
        match known.map(|known| (known["state"].as_str(), known)) {
            Some((Some("ready"), _)) => {
                println!("{plugin} in service after {:.1} s", began.elapsed().as_secs_f64());
                return Ok(());
            }
            Some((Some("refused"), known)) => anyhow::bail!("{known}"),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    anyhow::bail!("{plugin} was not in service in time:\n{}", server.output())
}

async fn a_greeter(heading: &str, language: &str) -> Result<()> {
    let (_place, project) = follow(heading, language).await?;
    let greeted = called_by_an_agent(&project.join("dist/greeter.wasm"), "greet", json!({"name": "Grace"})).await?;
    let text = greeted["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("Hello, Grace"), "{language}: {greeted}");
    Ok(())
}

#[tokio::test]
async fn the_chapter_about_rust_leads_to_a_tool_that_an_agent_calls() -> Result<()> {
    a_greeter("Rust", "rust").await
}

#[tokio::test]
async fn the_chapter_about_python_leads_to_a_tool_that_an_agent_calls() -> Result<()> {
    a_greeter("Python", "python").await
}

#[tokio::test]
async fn the_chapter_about_typescript_leads_to_a_tool_that_an_agent_calls() -> Result<()> {
    a_greeter("TypeScript", "js").await
}

#[tokio::test]
async fn the_chapter_about_go_leads_to_a_tool_that_an_agent_calls() -> Result<()> {
    a_greeter("Go", "go").await
}

#[tokio::test]
async fn the_chapter_about_c_leads_to_a_tool_that_an_agent_calls() -> Result<()> {
    a_greeter("C", "c").await
}

/// The chapters that hold for every language, in the order of the page. Each goes on in the folder of the greeter.
const FOR_ALL: [&str; 4] = ["Try it", "Keep what it did, and test against it", "See whether it keeps the contract", "The loop"];

#[tokio::test]
async fn the_chapters_for_every_language_work_as_written() -> Result<()> {
    let place = tempfile::tempdir()?;
    typed(place.path(), "wardian new greeter --lang js --plain && cd greeter && wardian build").await?;
    for heading in FOR_ALL {
        typed(&place.path().join("greeter"), &commands(heading)?).await.with_context(|| heading.to_owned())?;
    }
    Ok(())
}

#[tokio::test]
async fn every_command_of_the_page_stands_in_a_chapter_that_is_followed() -> Result<()> {
    let followed = ["Rust", "Python", "TypeScript", "Go", "C"].iter().chain(&FOR_ALL);
    let counted: usize = followed.map(|heading| commands(heading).map(|block| block.lines().count())).sum::<Result<usize>>()?;
    let blocks = PAGE.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    assert_eq!(counted, blocks.map(|block| block.lines().count()).sum::<usize>());
    Ok(())
}

/// Builds an example in a copy of its folder, and has an agent ask it something: the output.
async fn an_example(folder: &str, plugin: &str, tool: &str, arguments: Value) -> Result<Value> {
    let place = tempfile::tempdir()?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/examples").join(folder).canonicalize()?;
    // What was built in the folder itself, by hand, is no part of the example.
    let copy = format!("cp -rL '{}' {folder}; cd {folder}; rm -rf dist target node_modules", source.display());
    let fetch = "if [ -x fetch ]; then ./fetch; fi";
    typed(place.path(), &format!("{copy}\n{fetch}\nwardian build")).await?;
    called_by_an_agent(&place.path().join(folder).join(format!("dist/{plugin}.wasm")), tool, arguments).await
}

#[tokio::test]
async fn the_example_in_c_answers_a_question_in_sql() -> Result<()> {
    let tables = json!({"sales": [{"city": "Bern", "sum": 3}, {"city": "Basel", "sum": 4}, {"city": "Bern", "sum": 5}]});
    let question = "SELECT city, sum(sum) AS total FROM sales GROUP BY city ORDER BY total DESC";
    let answer = an_example("c-sql", "sql", "sql_query", json!({"tables": tables, "sql": question})).await?;
    assert_eq!(answer["rows"], json!([["Bern", 8], ["Basel", 4]]), "{answer}");
    Ok(())
}

#[tokio::test]
async fn the_example_in_go_groups_the_rows_of_a_file() -> Result<()> {
    let answer = an_example("go-csv", "csv", "csv_group", json!({"csv": "city,sum\nBern,3\nBern,4\n", "by": "city", "of": "sum"})).await?;
    assert!(answer.to_string().contains("Bern") && answer.to_string().contains('7'), "{answer}");
    Ok(())
}

#[tokio::test]
async fn the_example_in_typescript_makes_html_that_is_safe_to_show() -> Result<()> {
    let markdown = "# Hello\n\n<script>alert(1)</script> [x](javascript:alert(1))";
    let answer = an_example("js-markdown", "markdown", "markdown_to_html", json!({"markdown": markdown})).await?;
    let text = answer.to_string();
    assert!(text.contains("Hello</h1>") && !text.contains("<script>") && !text.contains("href=\\\"javascript:"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn the_example_in_python_knows_when_a_date_comes_again() -> Result<()> {
    let rule = json!({"rule": "FREQ=MONTHLY;BYDAY=3FR", "start": "2026-01-01T09:00:00", "count": 2});
    let answer = an_example("python-recurrence", "recurrence", "occurrences", rule).await?;
    let text = answer.to_string();
    assert!(text.contains("2026-01-16T09:00:00") && text.contains("2026-02-20T09:00:00"), "{answer}");
    Ok(())
}
