//! A server that answers what a test wrote down, byte for byte, and keeps what it was asked.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What to do with one connection or request.
#[derive(Clone)]
pub enum Act {
    /// Reads a whole request, and sends these bytes.
    Answer(Vec<u8>),
    /// The same, and closes.
    AnswerAndClose(Vec<u8>),
    /// The same, to somebody who may not read all of it.
    AnswerInVain(Vec<u8>),
    /// Reads so many bytes, and breaks the connection with a reset.
    ResetAfter(usize),
    /// Reads a request, and neither answers nor closes.
    Silence,
}

pub struct Scripted {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    /// Connections that stay open as long as the test runs.
    _held: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<JoinHandle<()>>,
}

pub fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

impl Scripted {
    /// Does the acts in turn, a new connection after each that ended one, and then takes no more.
    pub fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let held = Arc::new(Mutex::new(Vec::new()));
        let (kept, holding) = (Arc::clone(&asked), Arc::clone(&held));
        let thread = std::thread::spawn(move || play(&listener, acts, &kept, &holding));
        Self { port, asked, _held: held, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://USER:S3CRET@127.0.0.1:{}/web/", self.port)
    }

    /// What it was asked so far, head and body.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Insists that every act was played.
    pub fn end(mut self) -> Vec<String> {
        self.thread.take().expect("it ends once").join().expect("the script does not panic");
        self.asked()
    }
}

fn play(listener: &TcpListener, acts: Vec<Act>, asked: &Mutex<Vec<String>>, held: &Mutex<Vec<TcpStream>>) {
    let mut open: Option<TcpStream> = None;
    for act in acts {
        let mut stream = open.take().unwrap_or_else(|| listener.accept().expect("a connection").0);
        match act {
            Act::ResetAfter(bytes) => {
                let mut some = vec![0; bytes];
                stream.read_exact(&mut some).expect("a request begins");
                asked.lock().expect("no panic").push(String::from_utf8_lossy(&some).into_owned());
                socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("a reset at the end");
                continue;
            }
            Act::Answer(bytes) => {
                // A client may have gone to another connection.
                let request = request(&mut stream).or_else(|| {
                    stream = listener.accept().expect("a connection").0;
                    request(&mut stream)
                });
                asked.lock().expect("no panic").push(request.expect("a request"));
                stream.write_all(&bytes).expect("an answer is sent");
                open = Some(stream);
            }
            Act::AnswerAndClose(bytes) => {
                asked.lock().expect("no panic").push(request(&mut stream).expect("a request"));
                stream.write_all(&bytes).expect("an answer is sent");
            }
            Act::AnswerInVain(bytes) => {
                asked.lock().expect("no panic").push(request(&mut stream).expect("a request"));
                drop(stream.write_all(&bytes));
            }
            Act::Silence => {
                asked.lock().expect("no panic").push(request(&mut stream).expect("a request"));
                held.lock().expect("no panic").push(stream);
            }
        }
    }
}

/// One request with its body; `None` at the end of the connection.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let mut text = String::from_utf8(head).expect("a head is text");
    let length = text.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a whole body");
    text.push_str(&String::from_utf8_lossy(&body));
    Some(text)
}
