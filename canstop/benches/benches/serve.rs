//! One axum application served by canstop, by axum and by plain hyper, with its client in another process:
//! throughput, 99th percentile of the latency and the server's CPU time, with 1 and with 100 connections, kept alive
//! and one for each request; and the memory of an idle connection.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use canstop::Flavor;
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::rounds::{Contestant, Samples, interleave};
use canstop_benches::table::Table;
use canstop_benches::{child, supervised};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// The servers. Ratios are to the first one; its second process shows what the measurement cannot distinguish.
const SERVERS: [&str; 4] = ["axum::serve", "canstop::http::serve", "hyper alone", "axum::serve, again"];
/// With how many idle connections the memory of one is measured.
const IDLE: usize = 2_000;

fn main() {
    let options = match read(&["--quick"]) {
        Arguments::Part(part) => return serve(part.first().expect("the part names its server")),
        Arguments::Options(options) => options,
    };
    let (starts, rounds, time) = if options.is_empty() { (5, 21, 150) } else { (1, 5, 100) };
    let time = Duration::from_millis(time);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (connections, keeps) in [(1, true), (100, true), (1, false), (100, false)] {
        let how = if keeps { "kept alive" } else { "one for each request" };
        println!(
            "{connections} connections, {how}\n\n{}",
            throughput(&runtime, starts, rounds, time, connections, keeps)
        );
    }
    println!("{}", memory(&runtime));
}

/// A server in a process of its own.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(name: &'static str) -> Self {
        let mut child = child::start(&[name]);
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.as_mut().expect("its output is piped"));
        output.read_line(&mut line).expect("the server prints its address");
        Self { child, address: line.trim().parse().expect("an address") }
    }

    /// Nanoseconds of CPU time of all of its threads, in the kernel too.
    fn cpu_time(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let time = |thread: std::io::Result<std::fs::DirEntry>| {
            let path = thread.expect("a thread").path().join("schedstat");
            // A thread may have ended meanwhile.
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split(' ').next().and_then(|time| time.parse::<f64>().ok()).unwrap_or(0.0)
        };
        threads.map(time).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when its input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Measures on several processes of each server: how the kernel lays one out favours it or not for all of its rounds.
fn throughput(
    runtime: &Runtime,
    starts: usize,
    rounds: usize,
    time: Duration,
    connections: usize,
    keeps: bool,
) -> Table {
    let mut samples = measure(runtime, rounds, time, connections, keeps);
    for _ in 1..starts {
        samples.append(measure(runtime, rounds, time, connections, keeps));
    }
    let mut table = Table::new([
        "",
        "requests per second",
        "as a ratio",
        "99 of 100 within",
        "as a ratio",
        "CPU time for each",
        "as a ratio",
    ]);
    for (number, name) in SERVERS.into_iter().enumerate() {
        table.row([
            format!("`{name}`"),
            format!("{:.0}", samples.median(number, 0).median),
            samples.ratio(number, 0).to_string(),
            format!("{:.0} µs", samples.median(number, 1).median),
            samples.ratio(number, 1).to_string(),
            format!("{:.1} µs", samples.median(number, 2).median / 1e3),
            samples.ratio(number, 2).to_string(),
        ]);
    }
    table
}

/// Requests per second, the 99th percentile and the CPU time for each request, of one process of each server.
fn measure(runtime: &Runtime, rounds: usize, time: Duration, connections: usize, keeps: bool) -> Samples<3> {
    let servers = SERVERS.map(Server::start);
    let mut contestants: Vec<_> = servers
        .iter()
        .zip(SERVERS)
        .map(|(server, name)| {
            let sample = move || {
                let before = server.cpu_time();
                let Load { requests, took, p99 } = load(runtime, server.address, time, connections, keeps);
                [requests / took, p99, (server.cpu_time() - before) / requests]
            };
            Contestant { name, sample: Box::new(sample) }
        })
        .collect();
    interleave(rounds, &mut contestants)
}

/// What a client has seen.
struct Load {
    requests: f64,
    /// In seconds.
    took: f64,
    /// The 99th percentile of the latency, in microseconds.
    p99: f64,
}

/// Sends requests on every connection for this long.
fn load(runtime: &Runtime, address: SocketAddr, time: Duration, connections: usize, keeps: bool) -> Load {
    let (took, mut latencies) = runtime.block_on(async {
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            clients.spawn(request_until(address, began + time, keeps));
        }
        let latencies = clients.join_all().await.into_iter().flatten().collect::<Vec<_>>();
        (began.elapsed(), latencies)
    });
    latencies.sort_unstable();
    let p99 = latencies[latencies.len() * 99 / 100];
    Load { requests: latencies.len() as f64, took: took.as_secs_f64(), p99: p99.as_secs_f64() * 1e6 }
}

async fn request_until(address: SocketAddr, end: Instant, keeps: bool) -> Vec<Duration> {
    let mut latencies = Vec::new();
    let mut kept = None;
    while Instant::now() < end {
        let began = Instant::now();
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => connect(address).await,
        };
        request(&mut connection, "/hello").await;
        latencies.push(began.elapsed());
        kept = keeps.then_some(connection);
    }
    latencies
}

async fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).await.expect("the server accepts");
    connection.set_nodelay(true).expect("a TCP connection");
    // Reset on close: otherwise connections in TIME_WAIT use up the ports.
    connection.set_zero_linger().expect("a TCP connection");
    connection
}

/// Sends a request, and returns the body of its answer, which ends with a full stop.
async fn request(connection: &mut TcpStream, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all(head.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::with_capacity(512);
    while !answer.ends_with(b".") {
        let read = connection.read_buf(&mut answer).await.expect("the server answers");
        assert!(read > 0, "the server hung up after {}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8(answer).expect("text");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    body.trim_end_matches('.').to_owned()
}

/// The heap memory of a connection that is idle after one request, as the allocator counts it.
fn memory(runtime: &Runtime) -> Table {
    let mut table = Table::new(["", "bytes per idle connection", "more than axum"]);
    let mut floor = None;
    for name in &SERVERS[..3] {
        let server = Server::start(name);
        let bytes = runtime.block_on(async {
            let mut asking = connect(server.address).await;
            let mut live = async || request(&mut asking, "/live").await.parse::<f64>().expect("a number");
            // The first ones grow what all connections share.
            let mut idle = connect_idle(server.address, IDLE).await;
            let before = live().await;
            idle.extend(connect_idle(server.address, IDLE).await);
            (live().await - before) / IDLE as f64
        });
        let floor = *floor.get_or_insert(bytes);
        table.row([format!("`{name}`"), format!("{bytes:.0}"), format!("{:+.0}", bytes - floor)]);
    }
    table
}

async fn connect_idle(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut connection = connect(address).await;
        request(&mut connection, "/hello").await;
        idle.push(connection);
    }
    idle
}

/// Bytes that the allocator has given out in all of its arenas.
#[expect(unsafe_code, reason = "only the C library knows")]
fn live_bytes() -> usize {
    // SAFETY: the call has no arguments and returns a struct of numbers.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

fn serve(name: &str) {
    // The parent holds the other end of the pipe, which is closed when the parent ends, however it ends.
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let name = name.to_owned();
    supervised::run(Flavor::MultiThread, async move {
        let app = Router::new()
            .route("/hello", get(|| async { "hello." }))
            .route("/live", get(|| async { format!("{}.", live_bytes()) }));
        if name == SERVERS[1] {
            let listener = canstop::listen("http", (Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
            println!("{listener}");
            canstop::http::serve(listener, app).await.expect("it serves");
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        println!("{}", listener.local_addr().expect("it listens"));
        if name.starts_with(SERVERS[0]) {
            use axum::serve::ListenerExt as _;
            let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
            axum::serve(listener, app).await.expect("it serves");
            return;
        }
        loop {
            let (socket, _) = listener.accept().await.expect("a connection");
            socket.set_nodelay(true).expect("a TCP connection");
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                // The client ends its connections with a reset.
                let _ = connection.await;
            });
        }
    });
}
