//! Listeners from a client's side, during a stop and before it.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use canstop_tests::{Probe, Signal};

const PATIENCE: Duration = Duration::from_secs(15);

fn start(arguments: &[&str]) -> Probe {
    Probe::start(env!("CARGO_BIN_EXE_listening"), arguments)
}

fn connect(address: &str) -> TcpStream {
    let client = TcpStream::connect(address).expect("it listens");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client
}

/// Sends a word, and expects its echo.
fn exchange(client: &mut (impl Read + Write)) {
    client.write_all(b"hello").expect("the program reads");
    let mut answer = [0; 5];
    client.read_exact(&mut answer).expect("the program answers");
    assert_eq!(&answer, b"hello");
}

#[test]
fn clients_in_the_kernels_queue_are_served_after_a_stop() {
    let mut probe = start(&["queue"]);
    let address = probe.wait_until_listening();
    let mut clients: Vec<_> = (0..20).map(|_| connect(&address)).collect();
    probe.signal(Signal::Terminate);
    for client in &mut clients {
        exchange(client);
    }
    drop(clients);
    let finished = probe.finish();
    finished.exited(0).printed("all are accepted").ended_with(&["20 sessions drained, 0 abandoned"]);
}

#[test]
fn an_accept_loop_by_hand_resets_its_queue() {
    let mut probe = start(&["queue by hand"]);
    let address = probe.wait_until_listening();
    let mut clients: Vec<_> = (0..20).map(|_| connect(&address)).collect();
    probe.terminate().exited(0);
    for client in &mut clients {
        let answered = client.write_all(b"hello").and_then(|()| client.read_exact(&mut [0; 5]));
        assert!(answered.is_err(), "the control must fail");
    }
}

#[test]
fn a_flooded_accept_loop_notices_the_stop() {
    let mut probe = start(&["serve"]);
    let address = probe.wait_until_listening();
    let goes_on = Arc::new(AtomicBool::new(true));
    let flood = {
        let goes_on = Arc::clone(&goes_on);
        std::thread::spawn(move || {
            while goes_on.load(Ordering::Relaxed) {
                drop(TcpStream::connect(&address));
            }
        })
    };
    let finished = probe.terminate();
    goes_on.store(false, Ordering::Relaxed);
    flood.join().expect("the flood ends");
    finished.exited(0).within(Duration::from_secs(4)).printed("all are accepted");
}

#[test]
fn a_client_that_connects_during_a_stop_is_served_or_refused() {
    for arguments in [&["serve"][..], &["serve", "[::1]:0"]] {
        if arguments.len() > 1 && std::net::TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        for _ in 0..3 {
            let mut probe = start(arguments);
            let address = probe.wait_until_listening();
            let clients: Vec<_> = (0..4).map(|_| connect_until_refused(&address)).collect();
            wait_for_exchanges(&clients, 50);
            let finished = probe.terminate();
            for Connecting { client, .. } in clients {
                let broken = client.join().expect("no panic");
                assert!(broken.is_none(), "a connected client was not served: {broken:?}\n{finished}");
            }
            finished.exited(0);
        }
    }
}

/// A client that connects again and again.
struct Connecting {
    client: std::thread::JoinHandle<Option<std::io::Error>>,
    exchanges: Arc<AtomicUsize>,
}

/// Exchanges bytes on ever new connections until one is refused. Returns the error of a connection that was not
/// served.
fn connect_until_refused(address: &str) -> Connecting {
    let exchanges = Arc::new(AtomicUsize::new(0));
    let (address, count) = (address.to_owned(), Arc::clone(&exchanges));
    let client = std::thread::spawn(move || {
        while let Ok(mut client) = TcpStream::connect(&address) {
            client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            let exchanged = client.write_all(b"hello").and_then(|()| client.read_exact(&mut [0; 5]));
            if exchanged.is_err() {
                return exchanged.err();
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
        None
    });
    Connecting { client, exchanges }
}

fn wait_for_exchanges(clients: &[Connecting], exchanges: usize) {
    while clients.iter().any(|client| client.exchanges.load(Ordering::Relaxed) < exchanges) {
        std::thread::yield_now();
    }
}

#[test]
fn a_lack_of_descriptors_delays_clients_only() {
    let mut probe = start(&["few descriptors"]);
    let address = probe.wait_until_listening();
    let mut clients: Vec<_> = (0..40).map(|_| connect(&address)).collect();
    for mut client in clients.drain(..) {
        exchange(&mut client);
    }
    let finished = probe.terminate();
    finished.exited(0);
    assert_eq!(finished.times_logged("it cannot accept"), 1, "{finished}");
    finished.logged(&["listener `web`: it cannot accept", "LimitNOFILE="]);
}

#[test]
fn connections_beyond_the_limit_wait_for_one_to_end() {
    let mut probe = start(&["limit"]);
    let address = probe.wait_until_listening();
    let (mut first, mut second, mut third) = (connect(&address), connect(&address), connect(&address));
    exchange(&mut first);
    exchange(&mut second);
    third.write_all(b"hello").expect("the kernel takes it");
    third.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let early = third.read(&mut [0; 5]).expect_err("the program has not accepted it yet");
    assert!(matches!(early.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{early}");
    drop(first);
    third.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    third.read_exact(&mut [0; 5]).expect("now it is");
    drop((second, third));
    let finished = probe.terminate();
    finished.exited(0);
    assert_eq!(finished.times_logged("it has its limit of 2 connections"), 1, "{finished}");
}

#[test]
fn the_error_of_an_address_in_use_has_a_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let finished = start(&["serve", &address.to_string()]).finish();
    let port = format!("port {} is in use", address.port());
    finished.exited(1);
    finished.logged(&["listener `web`", &format!("cannot listen on {address}"), &port, "take another port"]);
}

#[test]
fn it_listens_on_ipv6_and_on_several_addresses() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let mut probe = start(&["serve", "127.0.0.1:0,[::1]:0"]);
    let addresses = probe.wait_until_listening();
    let addresses: Vec<_> = addresses.split(", ").collect();
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    for address in addresses {
        exchange(&mut connect(address));
    }
    probe.terminate().exited(0);
}

fn socket_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.sock", std::process::id()))
}

#[test]
fn a_unix_socket_is_served_and_its_file_removed() {
    let path = socket_path("served");
    let mut probe = start(&["serve", path.to_str().expect("a plain path")]);
    assert_eq!(probe.wait_until_listening(), format!("unix:{}", path.display()));
    let mut client = UnixStream::connect(&path).expect("it listens");
    exchange(&mut client);
    drop(client);
    probe.terminate().exited(0);
    assert!(!path.exists(), "the file is left");
}

#[test]
fn a_stale_unix_socket_is_replaced() {
    let path = socket_path("stale");
    // std's listener leaves its file, as a killed program does.
    drop(UnixListener::bind(&path).expect("a free path"));
    assert!(path.exists());
    let mut probe = start(&["serve", path.to_str().expect("a plain path")]);
    probe.wait_until_listening();
    exchange(&mut UnixStream::connect(&path).expect("it listens"));
    probe.terminate().exited(0);
}

#[test]
fn a_unix_socket_in_use_and_a_plain_file_are_kept() {
    let path = socket_path("taken");
    let taken = UnixListener::bind(&path).expect("a free path");
    let finished = start(&["serve", path.to_str().expect("a plain path")]).finish();
    finished.exited(1).logged(&["another program listens there"]);
    assert!(UnixStream::connect(&path).is_ok(), "the other program still listens");
    drop(taken);
    std::fs::remove_file(&path).expect("it is there");

    std::fs::write(&path, "kept").expect("a file");
    let finished = start(&["serve", path.to_str().expect("a plain path")]).finish();
    finished.exited(1).logged(&["a file that is no socket is there"]);
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "kept");
    std::fs::remove_file(&path).expect("it is there");
}

/// Starts a program with a passed socket of this name. Returns the address that was passed and the one that
/// the program listens on.
fn passed(address: &str, name: &str) -> (Probe, String) {
    let mut probe = start(&["passed", address, name]);
    let address = probe.wait_for_start("passed ");
    (probe, address)
}

#[test]
fn a_passed_socket_with_the_listeners_name_is_used() {
    for name in ["web", "unknown", "shop.socket"] {
        let (mut probe, address) = passed("0.0.0.0:0", name);
        assert_eq!(probe.wait_until_listening(), address, "{name}");
        exchange(&mut connect(&address));
        probe.terminate().exited(0);
    }
}

#[test]
fn an_unsuitable_passed_socket_is_an_error() {
    let (probe, address) = passed("127.0.0.1:1", "web");
    let finished = probe.finish();
    finished.exited(1).logged(&["under this name listens on", &address, "the program asks for 127.0.0.1:1"]);
}

#[test]
fn a_passed_socket_with_another_name_causes_a_warning() {
    let (mut probe, address) = passed("127.0.0.1:0", "admin");
    assert_ne!(probe.wait_until_listening(), address);
    let finished = probe.terminate();
    finished.exited(0).logged(&["`admin`", "no listener has taken it"]);
}
