//! Runs a program that hands over, and signals its old or its new process right before a certain system call.
//!
//! `stop_at old TERM 17 PROGRAM ARGUMENT..` counts the calls of the threads that take part in the hand-over: in the old
//! process those of `canstop` and `canstop-handover` from the request on, in the new one those of `canstop` and of the
//! main thread from its first instruction on. The call waits until the signal was handled, so nothing lies between them.
//! What a process does between two system calls is seen by no other process: these are all the moments that differ.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn main() -> std::io::Result<()> {
    tracer::run()
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {
    println!("cannot trace: there is no ptrace(2) here as on Linux");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod tracer {
    use std::collections::HashMap;
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::{Command, ExitStatus};
    use std::{env, fs, io, ptr};

    use libc::{c_int, c_uint, c_void, pid_t, ptrace_syscall_info};

    /// The bit that tells the stop at a system call from a signal.
    const SYSCALL_STOP: c_int = libc::SIGTRAP | 0x80;

    pub(crate) fn run() -> io::Result<()> {
        let mut arguments = env::args().skip(1);
        let mut next = || arguments.next().expect("old or new, TERM or KILL, a number, a program");
        let (is_old, signal, call, program) = (next() == "old", next(), next(), next());
        let signal = if signal == "KILL" { libc::SIGKILL } else { libc::SIGTERM };
        let call = call.parse().expect("the number of a call");
        let mut command = Command::new(program);
        command.args(arguments);
        let old = match start(&mut command) {
            Ok(old) => old,
            Err(error) => {
                println!("cannot trace: {error}");
                return Ok(());
            }
        };
        let tasks = HashMap::from([(old, old)]);
        let mut tracer =
            Tracer { is_old, signal, call, old, new: None, tasks, counts: false, calls: 0, is_sent: false, held: None };
        tracer.resume(old, 0);
        while let Some((task, status)) = wait() {
            if libc::WIFSTOPPED(status) {
                tracer.stopped(task, status);
            } else {
                tracer.ended(task, status);
            }
        }
        println!("{} calls", tracer.calls);
        println!("no process is left");
        Ok(())
    }

    /// A call that waits for the signal to be handled.
    struct Held {
        task: pid_t,
        /// The thread that handles the signal.
        handler: Option<pid_t>,
    }

    struct Tracer {
        is_old: bool,
        signal: c_int,
        /// Before which call to send the signal. The first is 1.
        call: u64,
        old: pid_t,
        new: Option<pid_t>,
        /// The process of each thread.
        tasks: HashMap<pid_t, pid_t>,
        counts: bool,
        calls: u64,
        is_sent: bool,
        held: Option<Held>,
    }

    impl Tracer {
        fn stopped(&mut self, task: pid_t, status: c_int) {
            let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
            let is_new = !self.tasks.contains_key(&task);
            let process = *self.tasks.entry(task).or_insert_with(|| process_of(task));
            if signal == SYSCALL_STOP {
                return self.at_call(task, process);
            }
            if event == libc::PTRACE_EVENT_EXEC && process != self.old && self.new.is_none() {
                self.new = Some(process);
            }
            // What begins is stopped once, which is no signal.
            if event != 0 || is_new && signal == libc::SIGSTOP {
                return self.resume(task, 0);
            }
            match signal {
                libc::SIGUSR2 if process == self.old => self.counts = true,
                libc::SIGTERM => match &mut self.held {
                    Some(held) => held.handler = Some(task),
                    // The test ends the program.
                    None => self.counts = false,
                },
                _ => {}
            }
            self.resume(task, signal);
        }

        fn at_call(&mut self, task: pid_t, process: pid_t) {
            if let Some(number) = call_that_begins(task) {
                if number == libc::SYS_rt_sigreturn as u64 {
                    self.release_if(|held| held.handler == Some(task));
                }
                if self.counts(task, process) {
                    self.calls += 1;
                    if self.calls == self.call {
                        return self.send(task, process, number);
                    }
                }
            }
            self.resume(task, 0);
        }

        fn counts(&self, task: pid_t, process: pid_t) -> bool {
            if !self.counts || self.is_sent {
                return false;
            }
            if self.is_old {
                process == self.old && matches!(&*name_of(task), "canstop" | "canstop-handover")
            } else {
                Some(process) == self.new && (task == process || name_of(task) == "canstop")
            }
        }

        fn send(&mut self, task: pid_t, process: pid_t, number: u64) {
            self.is_sent = true;
            println!("signalled before call {} ({number}) of thread {}", self.call, name_of(task));
            // The main thread handles it. That one is not there to handle it while it waits.
            if self.signal == libc::SIGKILL || task == process {
                signal_process(process, self.signal);
                return self.resume(task, 0);
            }
            self.held = Some(Held { task, handler: None });
            signal_process(process, self.signal);
        }

        fn ended(&mut self, task: pid_t, status: c_int) {
            let process = self.tasks.remove(&task);
            self.release_if(|held| held.task == task || held.handler == Some(task));
            if task == self.old {
                // The hand-over is done.
                self.counts = false;
            }
            if process == Some(task) && (task == self.old || Some(task) == self.new) {
                let name = if task == self.old { "old" } else { "new" };
                println!("{name} ended: {}", ExitStatus::from_raw(status));
            }
        }

        fn release_if(&mut self, is_done: impl Fn(&Held) -> bool) {
            if let Some(held) = self.held.take_if(|held| is_done(held)) {
                self.resume(held.task, 0);
            }
        }

        /// Lets a thread run to its next call, or on, if no call matters any more.
        fn resume(&self, task: pid_t, signal: c_int) {
            let request = if self.is_sent && self.held.is_none() { libc::PTRACE_CONT } else { libc::PTRACE_SYSCALL };
            // If it fails, the thread was killed while it was stopped.
            let _ = trace(request, task, ptr::null_mut(), ptr::without_provenance_mut(signal as usize));
        }
    }

    /// Starts a program that is stopped before its first instruction.
    #[expect(unsafe_code, reason = "the program asks to be traced before it is executed")]
    fn start(command: &mut Command) -> io::Result<pid_t> {
        let ask = || trace(libc::PTRACE_TRACEME, 0, ptr::null_mut(), ptr::null_mut());
        // SAFETY: the closure makes a system call and allocates nothing.
        let child = unsafe { command.pre_exec(ask) }.spawn()?;
        let task = pid_t::try_from(child.id()).expect("a pid");
        wait().expect("it is stopped at its execution");
        let options = libc::PTRACE_O_TRACESYSGOOD
            | libc::PTRACE_O_TRACECLONE
            | libc::PTRACE_O_TRACEFORK
            | libc::PTRACE_O_TRACEVFORK
            | libc::PTRACE_O_TRACEEXEC
            // Nothing of it is left when its test fails.
            | libc::PTRACE_O_EXITKILL;
        trace(libc::PTRACE_SETOPTIONS, task, ptr::null_mut(), ptr::without_provenance_mut(options as usize))?;
        Ok(task)
    }

    #[expect(unsafe_code, reason = "neither std nor rustix has ptrace(2)")]
    fn trace(request: c_uint, task: pid_t, address: *mut c_void, data: *mut c_void) -> io::Result<()> {
        // SAFETY: a request reads or writes this process at most at `data`, for which its caller gives enough room.
        if unsafe { libc::ptrace(request, task, address, data) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The next thread that was stopped or has ended; `None` when none is left.
    #[expect(unsafe_code, reason = "neither std nor rustix waits for threads")]
    fn wait() -> Option<(pid_t, c_int)> {
        let mut status = 0;
        // SAFETY: the pointer is to a local.
        let task = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        (task > 0).then_some((task, status))
    }

    /// The number of the call that a stopped thread begins; `None` where it ends one.
    #[expect(unsafe_code, reason = "which member of the union is valid depends on the kind of stop")]
    fn call_that_begins(task: pid_t) -> Option<u64> {
        // SAFETY: it is made of numbers, for which zeros are valid.
        let mut info: ptrace_syscall_info = unsafe { std::mem::zeroed() };
        let size = ptr::without_provenance_mut(size_of::<ptrace_syscall_info>());
        trace(libc::PTRACE_GET_SYSCALL_INFO, task, size, (&raw mut info).cast()).ok()?;
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return None;
        }
        // SAFETY: for this kind of stop the kernel has written this member.
        Some(unsafe { info.u.entry.nr })
    }

    fn signal_process(process: pid_t, signal: c_int) {
        use rustix::process::{Pid, Signal, kill_process};

        let signal = if signal == libc::SIGKILL { Signal::KILL } else { Signal::TERM };
        kill_process(Pid::from_raw(process).expect("a pid"), signal).expect("it is stopped, and so it is there");
    }

    fn process_of(task: pid_t) -> pid_t {
        let status = fs::read_to_string(format!("/proc/{task}/status")).unwrap_or_default();
        let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
        process.unwrap_or(task)
    }

    fn name_of(task: pid_t) -> String {
        fs::read_to_string(format!("/proc/{task}/comm")).unwrap_or_default().trim_end().to_owned()
    }
}
