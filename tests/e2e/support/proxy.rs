//! Something between client and server that a test can cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::gate::{Gate, Passage};
use super::{SOON, wait_until};

/// Listens on a port of its own and hands every byte on, until it is told otherwise.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Where the server is.
    target: AtomicU16,
    is_cut: AtomicBool,
    /// How often it was cut.
    cuts: AtomicU64,
    /// New connections wait, and whether one does.
    stalled: Mutex<Stalled>,
    moves: Condvar,
    connections: Mutex<Vec<TcpStream>>,
    /// Every byte in either direction, where a test wants to look at them.
    recorded: Mutex<Option<Vec<u8>>>,
    gate: Gate,
}

#[derive(Default)]
struct Stalled {
    is_stalled: bool,
    has_any: bool,
}

impl Proxy {
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let shared = Arc::new(Shared { target: port.into(), ..Shared::default() });
        let proxy = Self { port: listener.local_addr().expect("an address").port(), shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                shared.take(client);
            }
        });
        proxy
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The server is elsewhere now.
    pub fn move_to(&self, port: u16) {
        self.shared.target.store(port, Ordering::SeqCst);
    }

    /// Ends all connections, in the middle of whatever they carry. New ones end at once, until [`Self::mend`].
    pub fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::SeqCst);
        self.shared.cuts.fetch_add(1, Ordering::SeqCst);
        for connection in self.shared.connections.lock().expect("nobody panics").drain(..) {
            // It may have ended by itself.
            let _: std::io::Result<()> = connection.shutdown(Shutdown::Both);
        }
        self.shared.gate.give_up();
    }

    /// What requests have to pass.
    pub fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    pub fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::SeqCst);
    }

    /// New connections wait until [`Self::go_on`], as those do of a proxy that waits for its server.
    pub fn stall(&self) {
        *self.shared.stalled.lock().expect("nobody panics") = Stalled { is_stalled: true, has_any: false };
    }

    /// Waits until a connection waits.
    pub fn await_stalled(&self) {
        wait_until("a connection waits", 3 * SOON, || self.shared.stalled.lock().expect("nobody panics").has_any);
    }

    pub fn go_on(&self) {
        self.shared.stalled.lock().expect("nobody panics").is_stalled = false;
        self.shared.moves.notify_all();
    }

    /// Keeps what passes from now on.
    pub fn record(&self) {
        *self.shared.recorded.lock().expect("nobody panics") = Some(Vec::new());
    }

    pub fn recorded(&self) -> Vec<u8> {
        self.shared.recorded.lock().expect("nobody panics").take().unwrap_or_default()
    }
}

impl Shared {
    fn take(self: &Arc<Self>, client: TcpStream) {
        if self.is_cut.load(Ordering::SeqCst) {
            return;
        }
        drop(self.moves.wait_while(self.stalled.lock().expect("nobody panics"), |stalled| {
            stalled.has_any |= stalled.is_stalled;
            stalled.is_stalled
        }));
        let cuts = self.cuts.load(Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.target.load(Ordering::SeqCst))) else { return };
        let is_mute = Arc::new(AtomicBool::new(false));
        for (from, to, is_upward) in [(&client, &server, true), (&server, &client, false)] {
            let [from, to, kept] = [from, to, from].map(|stream| stream.try_clone().expect("a descriptor"));
            self.connections.lock().expect("nobody panics").push(kept);
            let (shared, is_mute) = (Arc::clone(self), Arc::clone(&is_mute));
            std::thread::spawn(move || shared.pump(from, to, is_upward, &is_mute));
        }
        // It was cut between the look and the list, and may have been mended since: this one may lead to where the server was.
        if self.is_cut.load(Ordering::SeqCst) || self.cuts.load(Ordering::SeqCst) != cuts {
            let _: std::io::Result<()> = client.shutdown(Shutdown::Both);
        }
    }

    fn pump(&self, mut from: TcpStream, mut to: TcpStream, is_upward: bool, is_mute: &AtomicBool) {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if let Some(recorded) = self.recorded.lock().expect("nobody panics").as_mut() {
                recorded.extend_from_slice(&buffer[..length]);
            }
            match if is_upward { self.gate.pass(&buffer[..length]) } else { Passage::Free } {
                Passage::Free => {}
                Passage::Unanswered => is_mute.store(true, Ordering::SeqCst),
                Passage::Ended => break,
            }
            if !is_upward && is_mute.load(Ordering::SeqCst) {
                break;
            }
            if is_upward {
                self.gate.turn(&mut buffer[..length]);
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        for end in [from, to] {
            let _: std::io::Result<()> = end.shutdown(Shutdown::Both);
        }
    }
}
