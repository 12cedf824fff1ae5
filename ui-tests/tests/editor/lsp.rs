//! As much of the language server protocol as it takes: messages with a length before them, over the
//! server's own input and output.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A server that was started, with a client that answers what it asks.
pub(crate) struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    requests: u64,
}

impl Server {
    /// Starts it for one package.
    pub(crate) fn start(program: &Path, package: &Path) -> Self {
        let mut process = Command::new(program)
            .current_dir(package)
            .env("CARGO_TARGET_DIR", package.join("target"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it ran a moment ago");
        let input = process.stdin.take().expect("it is piped");
        let output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut server = Self { process, input, output, requests: 0 };
        let hello = json!({
            "processId": std::process::id(),
            "rootUri": uri(package),
            "capabilities": {
                "textDocument": { "definition": { "linkSupport": true } },
                "experimental": { "serverStatusNotification": true },
            },
            "initializationOptions": { "checkOnSave": false, "cachePriming": { "enable": false } },
        });
        server.request("initialize", &hello);
        server.notify("initialized", &json!({}));
        server
    }

    /// Opens a file, and gives the name that requests call it by.
    pub(crate) fn open(&mut self, file: &Path, text: &str) -> String {
        let uri = uri(file);
        let document = json!({ "uri": uri, "languageId": "rust", "version": 1, "text": text });
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }));
        uri
    }

    /// Waits until it has read all sources and built all macros.
    pub(crate) fn wait_until_it_knows_everything(&mut self) {
        loop {
            let message = self.next();
            if message["method"] == "experimental/serverStatus" && message["params"]["quiescent"] == true {
                assert_ne!(message["params"]["health"], "error", "{message}");
                return;
            }
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let mut message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
        }
    }

    pub(crate) fn stop(mut self) {
        self.request("shutdown", &Value::Null);
        self.notify("exit", &Value::Null);
        let status = self.process.wait().expect("it was started");
        assert!(status.success(), "{status}");
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        write(&mut self.input, message).expect("the server listens");
    }

    /// The next message. What the server asks of its client is answered with nothing.
    fn next(&mut self) -> Value {
        let message = read(&mut self.output).expect("the server speaks");
        if let (Some(id), true) = (message.get("id"), message.get("method").is_some()) {
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": null }));
        }
        message
    }
}

/// A server that is left behind by a failed test would go on.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.canonicalize().expect("it was written").display())
}

fn write(output: &mut impl Write, message: &Value) -> io::Result<()> {
    let text = message.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

fn read(input: &mut impl BufRead) -> io::Result<Value> {
    let mut length = 0;
    loop {
        let mut header = String::new();
        if input.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match header.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            Some(_) => {}
            // An empty line ends the headers.
            None => break,
        }
    }
    let mut text = vec![0; length];
    input.read_exact(&mut text)?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}

#[test]
fn what_is_written_can_be_read_message_by_message() {
    let messages = [json!({ "id": 1, "text": "größer\r\n\r\n" }), json!(null)];
    let mut wire = Vec::new();
    for message in &messages {
        write(&mut wire, message).unwrap();
    }
    let mut wire = &wire[..];
    for message in &messages {
        assert_eq!(read(&mut wire).unwrap(), *message);
    }
    assert_eq!(read(&mut wire).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    let other_headers = b"Content-Type: x\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(read(&mut &other_headers[..]).unwrap(), json!({}));
}
