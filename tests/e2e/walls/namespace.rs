//! A network of its own for a test: loopback, and one interface that leads
//! nowhere and counts what is sent through it.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tests::server::Server;

/// Set for a test that runs inside.
const INSIDE: &str = "WARDIAN_TEST_INSIDE_A_NAMESPACE";

/// Set where a machine that does not let us make namespaces is a failure.
const REQUIRED: &str = "WARDIAN_TEST_WALLS";

/// How long the interface has to be silent to be called silent, and how long we wait for that.
const SILENCE: Duration = Duration::from_millis(1_500);
const SILENCE_WAIT: Duration = Duration::from_secs(60);

/// Runs the body of a test inside namespaces of its own: this very test, again,
/// as another process. Where the machine does not let us make any, it is skipped,
/// with a line that says so past the test runner, unless it is required.
pub(super) fn inside<F: Future<Output = Result<()>>>(test: &str, body: impl FnOnce() -> F) -> Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return tokio::runtime::Runtime::new()?.block_on(body());
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--"]);
        command
    };
    let may = unshare().arg("true").output().is_ok_and(|tried| tried.status.success());
    if !may {
        ensure!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, and no network namespace can be made here");
        writeln!(std::io::stderr(), "SKIPPED {test}: no network namespace can be made here; root may")?;
        return Ok(());
    }
    let ran = unshare().arg(std::env::current_exe()?).args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    ensure!(ran.status.success() && said.contains("1 passed"), "inside a namespace:\n{said}");
    Ok(())
}

/// The only way out.
pub(super) struct Way;

/// What had been sent when it fell silent.
pub(super) struct Settled {
    pub(super) before: u64,
}

impl Way {
    /// Makes the interface, with all that a packet needs to leave through it.
    pub(super) fn out() -> Result<Self> {
        ip("link set lo up")?;
        ip("link add way type veth peer name end")?;
        // The kernel's own chatter about IPv6 would be counted too.
        for (interface, key, value) in
            [("way", "accept_ra", "0"), ("way", "router_solicitations", "0"), ("way", "addr_gen_mode", "1"), ("end", "disable_ipv6", "1")]
        {
            let file = format!("/proc/sys/net/ipv6/conf/{interface}/{key}");
            if Path::new(&file).exists() {
                std::fs::write(&file, value).with_context(|| file.clone())?;
            }
        }
        let mac = std::fs::read_to_string("/sys/class/net/end/address").or_else(|_| mac_of_end())?;
        let mac = mac.trim();
        ip("addr add 10.77.0.1/24 dev way")?;
        ip("link set way up")?;
        ip("link set end up")?;
        ip("route add default via 10.77.0.2 dev way")?;
        ip(&format!("neigh replace 10.77.0.2 lladdr {mac} dev way nud permanent"))?;
        if Path::new("/proc/net/if_inet6").exists() {
            ip("-6 addr add fd77::1/64 dev way nodad")?;
            ip("-6 route add default via fd77::2 dev way")?;
            ip(&format!("-6 neigh replace fd77::2 lladdr {mac} dev way nud permanent"))?;
        }
        Ok(Self)
    }

    /// Waits until nothing has been sent for a while.
    pub(super) async fn settled(&self) -> Result<Settled> {
        let until = Instant::now() + SILENCE_WAIT;
        let (mut before, mut since) = (sent()?, Instant::now());
        while since.elapsed() < SILENCE {
            ensure!(Instant::now() < until, "the interface never falls silent");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = sent()?;
            if now != before {
                (before, since) = (now, Instant::now());
            }
        }
        Ok(Settled { before })
    }
}

impl Settled {
    /// Packets sent by now.
    #[expect(clippy::unused_self, reason = "only who has seen it silent may compare")]
    pub(super) fn sent(&self) -> Result<u64> {
        sent()
    }
}

/// The packets that the interface has sent, as the kernel counts them.
fn sent() -> Result<u64> {
    let table = std::fs::read_to_string("/proc/net/dev")?;
    let line = table.lines().find_map(|line| line.trim().strip_prefix("way:")).context("the interface is gone")?;
    // Eight columns are about what was received; then come bytes and packets.
    Ok(line.split_whitespace().nth(9).context("a count of packets")?.parse()?)
}

/// `/sys` shows the interfaces of the namespace that mounted it, so the tool is asked.
fn mac_of_end() -> std::io::Result<String> {
    let shown = Command::new("ip").args(["-brief", "link", "show", "end"]).output()?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    shown
        .split_whitespace()
        .find(|word| word.split(':').count() == 6)
        .map(str::to_owned)
        .ok_or_else(|| std::io::Error::other(shown.clone()))
}

fn ip(arguments: &str) -> Result<()> {
    let done = Command::new("ip").args(arguments.split_whitespace()).output().context("cannot run ip; install iproute2")?;
    if !done.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    }
    Ok(())
}

/// Drops the guest that tries doors into the server's plugin directory.
pub(super) fn install_probe(server: &Server) -> Result<()> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/hostile/probe.wasm");
    let bytes = std::fs::read(&built).with_context(|| format!("no {}; run tests/hostile/build", built.display()))?;
    server.install("probe", &bytes)
}
