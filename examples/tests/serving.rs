//! Starts the examples that serve HTTP, stops each in the middle of what it shows, and checks what its clients see.

#![cfg(unix)]

#[allow(clippy::all, dead_code, missing_docs, unreachable_pub, unused_qualifications, reason = "it is generated")]
#[rustfmt::skip]
#[path = "../examples/grpc/counter.rs"]
mod counter;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use canstop_examples::program::{self, Program};
use tokio::runtime::Runtime;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tonic::transport::Endpoint;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::counter::counter_client::CounterClient;
use crate::counter::{AddRequest, Count, WatchRequest};

#[test]
fn websockets_and_event_streams_end_well_at_the_stop() {
    let mut program = Program::new("websocket").env("LISTEN", "127.0.0.1:0").start();
    let address = program.address();

    let mut events = BufReader::new(program::connect(&address));
    events.get_mut().write_all(b"GET /events HTTP/1.1\r\nhost: test\r\n\r\n").expect("the program reads");
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        events.read_line(&mut line).expect("the whole head");
    }

    let chat = program::connect(&address);
    let (mut chat, _) = tungstenite::client(format!("ws://{address}/chat"), chat).expect("it speaks websocket");
    chat.send(Message::text("hello")).expect("it is open");
    assert_eq!(chat.read().expect("the line comes back"), Message::text("hello"));

    program.signal(program::Signal::Terminate);
    let Message::Close(Some(close)) = chat.read().expect("a goodbye") else { panic!("it is a close") };
    assert_eq!((close.code, close.reason.as_str()), (CloseCode::Away, "restarting"));
    // This answers the close.
    assert!(matches!(chat.read(), Err(tungstenite::Error::ConnectionClosed)));

    let mut rest = String::new();
    events.read_to_string(&mut rest).expect("the stream ends well");
    let said = rest.find("data: hello").expect("the stream has the line");
    let goodbye = rest.find("event: goodbye").expect("the stream has a last event");
    assert!(said < goodbye && rest.ends_with("0\r\n\r\n"), "{rest}");

    let ended = program.wait();
    assert!(ended.has_written("0 abandoned, exit code 0"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn https_answers_what_it_has_read() {
    let certificate = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}.pem", std::process::id()));
    let mut program = Program::new("tls").env("LISTEN", "127.0.0.1:0").env("CERTIFICATE", &certificate).start();
    let address = program.address();

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).expect("it is written")).expect("a certificate");
    std::fs::remove_file(&certificate).expect("it is there");
    let config = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(config, name).expect("a client");
    let mut client = StreamOwned::new(connection, program::connect(&address));
    client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("the program reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello\n") {
        let mut bytes = [0; 1024];
        let read = client.read(&mut bytes).expect("an answer");
        assert!(read > 0, "it ended after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&bytes[..read]);
    }

    // This client never begins its handshake.
    let _silent = program::connect(&address);
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("the program reads");
    client.flush().expect("the program reads");
    program.signal(program::Signal::Terminate);
    // Reads until the program closes TLS, as it should: an end without that is an error.
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("the connection ends well");
    assert!(answer.contains("connection: close") && answer.ends_with("slow\n"), "{answer}");

    let ended = program.wait();
    assert!(ended.has_written("0 abandoned, exit code 0"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}

#[test]
fn grpc_answers_its_calls_and_ends_its_streams() {
    let mut program = Program::new("grpc").env("LISTEN", "127.0.0.1:0").start();
    let address = program.address();
    let runtime = Runtime::new().expect("a runtime");
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let mut client = runtime.block_on(async { CounterClient::new(endpoint.connect().await.expect("it listens")) });

    let watching = runtime.block_on(client.watch(WatchRequest {})).expect("a stream");
    let mut counts = watching.into_inner();
    assert_eq!(runtime.block_on(counts.message()).expect("a message"), Some(Count { count: 0 }));
    let added = runtime.block_on(client.add(AddRequest { number: 2 })).expect("an answer");
    assert_eq!(added.into_inner(), Count { count: 2 });
    assert_eq!(runtime.block_on(counts.message()).expect("a message"), Some(Count { count: 2 }));

    let mut adding = client.clone();
    let adding = runtime.spawn(async move { adding.add(AddRequest { number: 3 }).await });
    program.wait_for("adding 3");
    program.signal(program::Signal::Terminate);
    assert_eq!(runtime.block_on(counts.message()).expect("the stream ends well"), None);
    let added = runtime.block_on(adding).expect("no panic").expect("an answer");
    assert_eq!(added.into_inner(), Count { count: 5 });

    let ended = program.wait();
    assert!(ended.has_written("0 abandoned, exit code 0"), "{ended}");
    assert_eq!(ended.code, Some(0), "{ended}");
}
