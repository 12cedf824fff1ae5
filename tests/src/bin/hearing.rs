//! Ways to hear the stop, and the threads on which it is heard.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Wake, Waker};
use std::thread;

use canstop::{Lifecycle, Service, spawn_session};
use canstop_tests::{READY, scenario};
use tokio::runtime::Builder;

/// Blocks in a channel that only its own callback closes.
#[canstop::service(manual, blocking)]
fn reader(lifecycle: Lifecycle) {
    let (sender, receiver) = mpsc::channel::<()>();
    lifecycle.on_stopping(move || drop(sender));
    println!("{READY}");
    while receiver.recv().is_ok() {}
    println!("the channel is closed");
}

#[canstop::service(manual)]
async fn idle(lifecycle: Lifecycle) {
    lifecycle.stopping().await;
}

/// More than the sessions of one turn of the control thread.
const SESSIONS: usize = 6_000;

/// Runs sessions on another runtime until all have heard the stop.
fn run_elsewhere(lifecycle: &Lifecycle, spawned: &mpsc::Sender<()>) {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let _lifecycle = lifecycle.enter();
    runtime.block_on(async {
        let hears = || spawn_session!(async { Lifecycle::current().stopping().await });
        let sessions: Vec<_> = (0..SESSIONS).map(|_| hears()).collect();
        tokio::task::yield_now().await;
        spawned.send(()).expect("the service waits for it");
        for session in sessions {
            session.await.expect("it does not panic");
        }
    });
    println!("all of the other runtime have heard");
}

/// Blocks the only worker until the sessions of another runtime have ended.
#[canstop::service(manual, blocking, allow(raw_spawn))]
fn blocked(lifecycle: Lifecycle) {
    let (spawned, waits) = mpsc::channel();
    let elsewhere = thread::spawn(move || run_elsewhere(&lifecycle, &spawned));
    waits.recv().expect("they are spawned");
    let (blocks, is_blocked) = mpsc::channel();
    let (frees, is_free) = mpsc::channel::<()>();
    spawn_session!(async move {
        blocks.send(()).expect("the service waits for it");
        elsewhere.join().expect("it does not panic");
        drop(frees);
    });
    is_blocked.recv().expect("the worker is blocked");
    println!("{READY}");
    let _ = is_free.recv();
}

/// A waker that prints on which thread it is called.
struct Woken(&'static str);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        println!("{} was woken on {}", self.0, thread::current().name().unwrap_or("a thread without a name"));
    }
}

/// Polls a future once, with such a waker, and keeps it.
fn watch<T: 'static>(what: &'static str, future: impl Future<Output = T> + Send + 'static) {
    let mut future: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(future);
    let waker = Waker::from(Arc::new(Woken(what)));
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "{what} is still to come");
    canstop::keep(future);
}

#[canstop::service(manual)]
async fn watcher(lifecycle: Lifecycle) {
    let service = lifecycle.start(idle());
    watch("the service", async move { service.wait().await });
    watch("the token", lifecycle.token().cancelled_owned());
    watch("stopping", lifecycle.stopping());
    watch("draining", lifecycle.draining());
    let mut events = canstop::events();
    watch("the events", async move { while events.next().await.is_some() {} });
    println!("{READY}");
    lifecycle.stopping().await;
}

#[canstop::service(manual)]
async fn drains(lifecycle: Lifecycle) {
    let states = || format!("draining {}, stopping {}", lifecycle.is_draining(), lifecycle.is_stopping());
    println!("at first {}", states());
    println!("{READY}");
    lifecycle.draining().await;
    println!("at the request {}", states());
    lifecycle.stopping().await;
    println!("at the stop {}", states());
}

/// More than are signalled before the first of them runs.
const SERVICES: usize = 300;
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Prints in which phase the program is when it hears the stop.
async fn sees_the_phase(lifecycle: Lifecycle) {
    if STARTED.fetch_add(1, Ordering::Relaxed) + 1 == SERVICES {
        println!("{READY}");
    }
    lifecycle.stopping().await;
    println!("asked to stop in the phase {}", canstop::metrics().phase);
}

#[canstop::main(grace = "2s", drain_delay = "100ms", worker_threads = 1)]
async fn main() {
    let lifecycle = Lifecycle::current();
    let _ = match scenario().as_str() {
        "draining" => lifecycle.start(drains()),
        "blocking" => lifecycle.start(reader()),
        "elsewhere" => lifecycle.start(blocked()),
        "wakers" => lifecycle.start(watcher()),
        "phases" => {
            for number in 1..SERVICES {
                lifecycle.start(Service::new("service", sees_the_phase).name(format!("service-{number}")));
            }
            lifecycle.start(Service::new("service", sees_the_phase))
        }
        other => panic!("no scenario {other}"),
    };
}
