//! What the child that compiles gives up before it reads a byte of a component:
//! files, the network, other processes, privileges, and more memory and
//! processor time than it may take. A hole in the compiler then opens onto
//! nothing but the answer. The compiled form in it is native code all the
//! same: a component that takes the compiler over decides what that does.
//!
//! Linux only. What the kernel does not offer is named in the answer, and the parent logs it.

use std::collections::BTreeMap;
use std::io;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch};
use serde::{Deserialize, Serialize};

/// Processor time of one child. A Python interpreter takes twenty seconds.
const CPU_SECONDS_MAX: u64 = 60;

/// Writable memory of one child. A Python interpreter takes a third of it.
const MEMORY_BYTES_MAX: u64 = 1 << 30;

/// Descriptors of one child: its three streams, and what a compiler's temporary memory files need.
const DESCRIPTORS_MAX: u64 = 64;

/// How much the child steps back behind the server.
const NICENESS: i32 = 10;

/// The newest Landlock interface that is asked for; an older kernel gives what it has.
const LANDLOCK: ABI = ABI::V6;

/// What compiling one component may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Processor time of all threads together, in whole seconds.
    pub cpu_seconds: u64,
    /// Writable memory.
    pub memory_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { cpu_seconds: CPU_SECONDS_MAX, memory_bytes: MEMORY_BYTES_MAX }
    }
}

/// Confines this process for good. To be called once, while it has one thread.
/// The answer names what is not in force, because this kernel does not offer it;
/// what every kernel offers is an error where it fails.
pub fn confine(bounds: Bounds) -> io::Result<Vec<String>> {
    limit(bounds)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // A lower priority is a courtesy; a system that refuses it still compiles.
    let _ = nice(NICENESS);
    let walls = [("Landlock", landlock()), ("seccomp", seccomp())];
    Ok(walls.into_iter().filter_map(|(wall, built)| built.err().map(|why| format!("{wall} is not in force: {why}"))).collect())
}

/// Address space is not bounded: the engine reserves much more of it than it
/// uses. Nor is the size of files: the temporary memory of a module counts as
/// one. Nor the number of processes: that is counted over all of the user's, and starting one is refused below.
fn limit(bounds: Bounds) -> io::Result<()> {
    let at_most = |max| Rlimit { current: Some(max), maximum: Some(max) };
    // The first bound ends the child with a signal that says so, the second would do it anyhow.
    let cpu = Rlimit { current: Some(bounds.cpu_seconds), maximum: Some(bounds.cpu_seconds.saturating_add(1)) };
    setrlimit(Resource::Cpu, cpu)?;
    setrlimit(Resource::Data, at_most(bounds.memory_bytes))?;
    setrlimit(Resource::Nofile, at_most(DESCRIPTORS_MAX))?;
    setrlimit(Resource::Core, at_most(0))?;
    Ok(())
}

/// No file, no socket, no signal to anybody outside. Also sets `no_new_privs`.
fn landlock() -> Result<(), String> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(LANDLOCK)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(LANDLOCK)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| error.to_string())?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => Err("this kernel knows a part of it only".into()),
        RulesetStatus::NotEnforced => Err("this kernel does not have it, or it is not switched on".into()),
    }
}

/// Every system call but those of a compiler's threads and memory is answered
/// as if this kernel did not know it: a C library newer than this list then
/// falls back on an older way, and nothing is started, opened, sent or traced.
fn seccomp() -> Result<(), String> {
    let filter = || -> Result<BpfProgram, seccompiler::BackendError> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
        SeccompFilter::new(rules()?, unknown, SeccompAction::Allow, arch)?.try_into()
    };
    let filter = filter().map_err(|error| error.to_string())?;
    seccompiler::apply_filter_all_threads(&filter).map_err(|error| error.to_string())
}

/// What is allowed whatever its arguments are.
const ALLOWED: [libc::c_long; 32] = [
    // memory
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_ftruncate,
    libc::SYS_fstat,
    libc::SYS_close,
    // threads and waiting
    libc::SYS_futex,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // signals: traps of guest code arrive as such
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // the rest
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_getrandom,
    libc::SYS_uname,
];

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    let only = |argument, op, value| SeccompCondition::new(argument, SeccompCmpArgLen::Qword, op, value);
    // A thread, never a process; `clone3` keeps its flags where a filter cannot read them.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![only(0, SeccompCmpOp::MaskedEq(thread), thread)?])?]);
    // An abort is a signal to oneself.
    let own = only(0, SeccompCmpOp::Eq, u64::from(std::process::id()))?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own])?]);
    // The image of a module's memory is sealed once it is written.
    let seal = only(1, SeccompCmpOp::Eq, libc::F_ADD_SEALS as u64)?;
    rules.insert(libc::SYS_fcntl, vec![SeccompRule::new(vec![seal])?]);
    // Names of threads and of memory.
    let names = [libc::PR_SET_NAME as u64, libc::PR_SET_VMA as u64];
    let names = names.into_iter().map(|name| SeccompRule::new(vec![only(0, SeccompCmpOp::Eq, name)?]));
    rules.insert(libc::SYS_prctl, names.collect::<Result<_, _>>()?);
    Ok(rules)
}
