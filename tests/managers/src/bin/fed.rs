//! A program on tokio alone that feeds systemd's watchdog from a thread of its own, whatever its workers do. They block.

use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

/// Longer than any test takes.
const FOR_EVER: Duration = Duration::from_secs(120);

#[tokio::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let manager = std::env::var("NOTIFY_SOCKET").expect("systemd's socket");
    let socket = UnixDatagram::unbound()?;
    socket.send_to(b"READY=1", &manager)?;
    thread::spawn(move || {
        loop {
            socket.send_to(b"WATCHDOG=1", &manager).expect("systemd reads");
            thread::sleep(Duration::from_millis(200));
        }
    });
    for _ in 0..2 {
        tokio::spawn(async { thread::sleep(FOR_EVER) });
    }
    thread::sleep(FOR_EVER);
    Ok(())
}
