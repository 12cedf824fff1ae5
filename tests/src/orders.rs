//! What a test orders a probe to do: one line of the probe's input each.

use std::io::BufRead as _;
use std::thread;

use tokio::sync::watch;

/// The last line of the program's input; empty before the first one.
pub type Orders = watch::Receiver<String>;

/// Reads the program's input from now on.
#[must_use]
pub fn orders() -> Orders {
    let (sender, orders) = watch::channel(String::new());
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            sender.send_replace(line);
        }
        // The end of the input means nothing: a test that sends no lines has closed it.
        thread::park();
    });
    orders
}

/// Waits until this is the last line.
///
/// # Panics
///
/// If the input cannot be read.
pub async fn until(orders: &Orders, order: &str) {
    let mut orders = orders.clone();
    orders.wait_for(|line| line == order).await.expect("the thread that reads never ends");
}
