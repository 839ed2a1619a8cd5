//! What an author does wrong, and the one sentence that comes of it.

use std::path::Path;

use anyhow::Result;

use super::{shell, typed};

/// What a script says on standard error, where it has to fail.
async fn refused(folder: &Path, script: &str) -> Result<String> {
    let output = shell(folder, script)?.output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{script}\n{said}");
    anyhow::ensure!(!output.status.success(), "{script} succeeds:\n{}{said}", String::from_utf8_lossy(&output.stdout));
    anyhow::ensure!(!said.contains("panicked"), "{script}:\n{said}");
    Ok(said)
}

#[tokio::test]
async fn a_compiler_that_is_missing_is_named_with_the_command_that_installs_it() -> Result<()> {
    let place = tempfile::tempdir()?;
    for language in ["rust", "python", "js", "go", "c"] {
        typed(place.path(), &format!("wardian new {language}-tool --lang {language}")).await?;
        let script = format!("export GUEST_TOOLCHAINS=$PWD/none; wardian build {language}-tool");
        // A machine of somebody else's may have a compiler of its own.
        if language == "rust"
            && typed(place.path(), "rustc --print target-libdir --target wasm32-wasip2 | xargs ls || true").await?.contains("libstd")
        {
            continue;
        }
        let said = refused(place.path(), &script).await?;
        assert!(said.contains(&format!("wardian toolchain install {language}")), "{language}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{language}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_become_a_project_is_refused_with_the_reason() -> Result<()> {
    let place = tempfile::tempdir()?;
    assert!(refused(place.path(), "wardian new Greeter --lang rust").await?.contains("lower-case letters"));
    assert!(refused(place.path(), "wardian new greeter --lang cobol").await?.contains("rust, python, js, go, c"));
    typed(place.path(), "mkdir greeter && touch greeter/mine").await?;
    assert!(refused(place.path(), "wardian new greeter --lang c").await?.contains("greeter"));
    assert!(refused(place.path(), "wardian build greeter").await?.contains("plugin.toml"));
    assert!(refused(place.path(), "wardian toolchain install cobol").await?.contains("rust, python, js, go, c"));
    Ok(())
}

#[tokio::test]
async fn a_mistake_in_the_source_is_shown_in_the_compilers_own_words_and_the_last_component_stays() -> Result<()> {
    let place = tempfile::tempdir()?;
    for (language, file) in [("js", "src/index.ts"), ("c", "src/greeter.c")] {
        let folder = place.path().join(language);
        typed(place.path(), &format!("wardian new greeter --lang {language} --into {language} && wardian build {language}")).await?;
        let before = std::fs::read(folder.join("dist/greeter.wasm"))?;
        typed(&folder, &format!("echo 'this is ( not a program' >> {file}")).await?;
        let said = refused(place.path(), &format!("wardian build {language}")).await?;
        assert!(said.contains(file.rsplit('/').next().unwrap_or_default()), "{language} does not name the file: {said}");
        assert_eq!(std::fs::read(folder.join("dist/greeter.wasm"))?, before, "{language}: the last component is gone");
        typed(&folder, "sed -i 's/^contract = .*/contract = \"9.9\"/' plugin.toml").await?;
        let said = refused(place.path(), &format!("wardian build {language}")).await?;
        assert!(said.contains("9.9") && said.contains("0.1") && said.contains("plugin.toml"), "{language}: {said}");
    }
    Ok(())
}
