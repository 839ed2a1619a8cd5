//! Tries what a component's compiler has no business doing, from within the
//! walls around it, and prints what came of each attempt: for tests that the walls stand.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::thread;

use rustix::process::{Signal, getppid, kill_process};

/// Something that a confined process must not be able to do.
type Attempt = fn() -> io::Result<()>;

fn main() -> io::Result<()> {
    let gaps = sandbox::confine::confine(sandbox::confine::Bounds::default())?;
    let attempts: [(&str, Attempt); 12] = [
        ("read a file", || File::open("/etc/passwd").map(drop)),
        ("read about itself", || File::open("/proc/self/environ").map(drop)),
        ("list a directory", || fs::read_dir("/").map(drop)),
        ("write a file", || File::create("/tmp/wardian-confined").map(drop)),
        ("remove a file", || fs::remove_file("/tmp/wardian-confined")),
        ("connect", || TcpStream::connect("127.0.0.1:1").map(drop)),
        ("listen", || TcpListener::bind("127.0.0.1:0").map(drop)),
        ("send a datagram", || UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("make a local socket", || UnixDatagram::unbound().map(drop)),
        ("start a program", || Command::new("/bin/true").status().map(drop)),
        ("signal its parent", || Ok(kill_process(getppid().ok_or(io::ErrorKind::NotFound)?, Signal::CONT)?)),
        ("start a thread", || thread::Builder::new().spawn(|| ()).map(drop)),
    ];
    for (attempt, run) in attempts {
        match run() {
            Ok(()) => println!("{attempt}: done"),
            Err(error) => println!("{attempt}: {error}"),
        }
    }
    for gap in gaps {
        println!("{gap}");
    }
    Ok(())
}
