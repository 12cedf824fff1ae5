//! The future of `run()` may be polled with a waker of the user's. It must not be woken on the control thread, which a
//! waker that blocks or panics would take out of service.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;

use canstop::{App, Lifecycle};

struct RecordsThread {
    woken_on: mpsc::Sender<Option<String>>,
    task: Waker,
}

impl Wake for RecordsThread {
    fn wake(self: Arc<Self>) {
        let _ = self.woken_on.send(thread::current().name().map(str::to_owned));
        self.task.wake_by_ref();
    }
}

#[test]
fn run_is_not_woken_on_the_control_thread() {
    let (woken_on, threads) = mpsc::channel();
    let _code = App::new().run(async move {
        let mut run = pin!(canstop::run());
        Lifecycle::current().shutdown("the test is over");
        let _report = poll_fn(|cx| {
            let waker = RecordsThread { woken_on: woken_on.clone(), task: cx.waker().clone() };
            run.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(waker))))
        })
        .await;
    });
    let threads: Vec<_> = threads.try_iter().collect();
    assert!(!threads.is_empty(), "`run()` returned without a wake");
    assert!(!threads.contains(&Some("canstop".to_owned())), "{threads:?}");
}
