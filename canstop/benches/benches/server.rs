//! An HTTP server with a session for each request, and its client in another process: throughput and 99th
//! percentile of the latency.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use canstop::Flavor;
use canstop_benches::arguments::{Arguments, read};
use canstop_benches::rounds::{Contestant, interleave};
use canstop_benches::table::Table;
use canstop_benches::ways::{self, Job, Way};
use canstop_benches::{child, supervised};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// The number of concurrent clients.
const CONNECTIONS: usize = 16;

fn main() {
    let options = match read(&["--quick"]) {
        Arguments::Part(_) => return serve_all(),
        Arguments::Options(options) => options,
    };
    let (rounds, time) = if options.is_empty() { (41, 150) } else { (5, 100) };
    println!("{}", table(rounds, Duration::from_millis(time)));
}

fn table(rounds: usize, time: Duration) -> Table {
    let mut server = child::start(&[]);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let ways = ways::all();
    let addresses = BufReader::new(server.stdout.take().expect("its output is piped")).lines().take(ways.len());
    let addresses = addresses.map(|line| line.expect("the server says where it listens").parse().expect("an address"));
    let mut contestants: Vec<_> = ways
        .iter()
        .zip(addresses)
        .map(|(way, address)| {
            let mut connections = runtime.block_on(connect(address));
            let runtime = &runtime;
            Contestant { name: way.name, sample: Box::new(move || load(runtime, &mut connections, time)) }
        })
        .collect();
    let samples = interleave(rounds, &mut contestants);
    let mut table = Table::new(["", "requests per second", "as a ratio", "99 of 100 within", "as a ratio"]);
    for (way, contestant) in contestants.iter().enumerate() {
        table.row([
            contestant.name.to_owned(),
            format!("{:.0}", samples.median(way, 0).median),
            samples.ratio(way, 0).to_string(),
            format!("{:.0} µs", samples.median(way, 1).median),
            samples.ratio(way, 1).to_string(),
        ]);
    }
    // The server ends when its input does.
    drop(server.stdin.take());
    server.wait().expect("the server ends");
    table
}

async fn connect(address: SocketAddr) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let connection = TcpStream::connect(address).await.expect("the server accepts");
        connection.set_nodelay(true).expect("a TCP connection");
        connections.push(connection);
    }
    connections
}

/// Sends requests on every connection for this long. Returns the throughput per second and the 99th percentile of
/// the latency in microseconds.
fn load(runtime: &Runtime, connections: &mut Vec<TcpStream>, time: Duration) -> [f64; 2] {
    let (took, mut latencies) = runtime.block_on(async {
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for connection in connections.drain(..) {
            clients.spawn(request_until(connection, began + time));
        }
        let mut latencies = Vec::new();
        while let Some(client) = clients.join_next().await {
            let (connection, own) = client.expect("a client does not panic");
            connections.push(connection);
            latencies.extend(own);
        }
        (began.elapsed(), latencies)
    });
    latencies.sort_unstable();
    let p99 = latencies[latencies.len() * 99 / 100];
    [latencies.len() as f64 / took.as_secs_f64(), p99.as_secs_f64() * 1e6]
}

async fn request_until(mut connection: TcpStream, end: Instant) -> (TcpStream, Vec<Duration>) {
    let mut latencies = Vec::new();
    let mut response = Vec::new();
    loop {
        let began = Instant::now();
        if began >= end {
            return (connection, latencies);
        }
        connection.write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("the server reads");
        response.clear();
        while !response.ends_with(b"hello") {
            let read = connection.read_buf(&mut response).await.expect("the server answers");
            assert!(read > 0, "the server hung up after {}", String::from_utf8_lossy(&response));
        }
        latencies.push(began.elapsed());
    }
}

/// The server: every way has its own port, on one runtime.
fn serve_all() {
    // The parent holds the other end of the pipe, which is closed when the parent ends, however it ends.
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    supervised::run(Flavor::MultiThread, async {
        let mut servers = JoinSet::new();
        for way in ways::all() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
            println!("{}", listener.local_addr().expect("it listens"));
            servers.spawn(ways::run(way.name, Accept { listener }));
        }
        servers.join_all().await;
    });
}

struct Accept {
    listener: TcpListener,
}

impl Job for Accept {
    async fn run<W: Way>(self, way: &mut W) {
        loop {
            let (socket, _) = self.listener.accept().await.expect("a connection");
            socket.set_nodelay(true).expect("a TCP connection");
            way.spawn_job(Connection { socket });
            way.reap();
        }
    }
}

struct Connection {
    socket: TcpStream,
}

impl Job for Connection {
    async fn run<W: Way>(mut self, way: &mut W) {
        let mut request = Vec::new();
        while self.socket.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
            if !request.ends_with(b"\r\n\r\n") {
                continue;
            }
            let head = std::mem::take(&mut request);
            let (respond, response) = oneshot::channel();
            way.spawn(async move { respond.send(answer(&head)).expect("the connection waits") });
            let response = response.await.expect("every request is answered");
            if self.socket.write_all(&response).await.is_err() {
                return;
            }
            way.reap();
        }
    }
}

/// Responds with the path without its slash.
fn answer(head: &[u8]) -> Vec<u8> {
    let head = String::from_utf8_lossy(head);
    let path = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
}
