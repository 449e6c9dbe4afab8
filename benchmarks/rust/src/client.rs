//! A websocket client: tokio current_thread, blocking; or tungstenite on a non-blocking socket, spinning.

use crate::book::Book;
use crate::decode::Decoder;
use crate::ring::{mix, now_ns, Ring};
use crate::stats::{percentiles, quantiles};
use crate::Options;
use futures_util::{SinkExt, StreamExt};
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// What one connection did.
struct Session<B: Book> {
    book: B,
    ring: Ring,
    decoder: Decoder,
    text: Vec<u8>,
    latencies: Vec<i64>,
    messages: u64,
    bytes: u64,
    last_id: i64,
    digest: u64,
    with_digest: bool,
}

impl<B: Book> Session<B> {
    fn new(options: &Options) -> Self {
        let path = options.text("ring", "");
        let ring = Ring::open((!path.is_empty()).then_some(path.as_str())).expect("a ring");
        let mut session = Session {
            book: B::default(), ring, decoder: Decoder::default(), text: Vec::with_capacity(1 << 20),
            latencies: Vec::with_capacity(1 << 20), messages: 0, bytes: 0, last_id: 0, digest: 0,
            with_digest: options.text("digest", "no") == "yes",
        };
        if let Ok(mut text) = std::fs::read(options.text("snapshot", "")) {
            let snapshot = session.decoder.snapshot(&mut text).expect("a snapshot");
            session.book.apply(0, &snapshot.bids.0);
            session.book.apply(1, &snapshot.asks.0);
        }
        session
    }

    /// Decode, apply, publish. Anything but a depth update is passed over.
    #[inline]
    fn take(&mut self, payload: &[u8], recv_ns: i64) {
        self.text.clear();
        self.text.extend_from_slice(payload);
        let Ok(depth) = self.decoder.depth(&mut self.text) else { return };
        self.book.apply(0, &depth.bids.0);
        self.book.apply(1, &depth.asks.0);
        let (slot, publish_ns) = self.ring.publish(&self.book, &depth, recv_ns);
        self.ring.announce();
        if self.latencies.len() < self.latencies.capacity() {
            self.latencies.push(publish_ns - depth.event);
        }
        if self.with_digest {
            self.digest = self.ring.digest(slot, self.digest);
        }
        self.messages += 1;
        self.bytes += payload.len() as u64;
        self.last_id = depth.last_id;
    }

    fn report(&mut self, seconds: f64) {
        let warm = self.latencies.len().min(500);
        let [p50, p99, p999, max] = percentiles(&mut self.latencies[warm..]);
        let curve = quantiles(&self.latencies[warm..]);
        let sides = [0, 1].map(|side| self.book.levels(side));
        let full = sides.iter().flatten().fold(0, |digest, level| mix(mix(digest, level.0), level.1));
        println!(
            "{{\"messages\": {}, \"bytes\": {}, \"seconds\": {seconds:.6}, \"records\": {}, \"last_id\": {}, \
             \"p50\": {p50}, \"p99\": {p99}, \"p99.9\": {p999}, \"max\": {max}, \"digest\": {}, \
             \"quantiles\": {curve:?}, \
             \"depth\": [{}, {}], \"book\": {full}}}",
            self.messages, self.bytes, self.ring.published(), self.last_id, self.digest,
            sides[0].len(), sides[1].len()
        );
    }
}

/// The TLS settings: one authority from a PEM file.
fn tls(path: &str) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let file = std::fs::File::open(path).expect("the authority's PEM file");
    for certificate in rustls_pemfile::certs(&mut BufReader::new(file)) {
        roots.add(certificate.expect("a certificate")).expect("an authority");
    }
    Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Run one session as the options say: `--url`, `--mode blocking|spin`, `--count` messages or `--idle-s` of silence.
pub fn run<B: Book>(options: &Options) {
    let mut session = Session::<B>::new(options);
    let seconds = match options.text("mode", "blocking").as_str() {
        "spin" => spin(options, &mut session),
        _ => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(block(options, &mut session)),
    };
    session.report(seconds);
}

fn address(url: &str) -> (bool, String) {
    let (scheme, rest) = url.split_once("://").expect("ws:// or wss://");
    (scheme == "wss", rest.split('/').next().unwrap().into())
}

async fn block<B: Book>(options: &Options, session: &mut Session<B>) -> f64 {
    let url = options.text("url", "");
    let (secure, host) = address(&url);
    let stream = tokio::net::TcpStream::connect(&host).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    if secure {
        let connector = tokio_rustls::TlsConnector::from(tls(&options.text("ca-file", "")));
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let stream = connector.connect(name, stream).await.expect("TLS");
        let (socket, _) = tokio_tungstenite::client_async(&url, stream).await.expect("a websocket");
        follow(options, session, socket).await
    } else {
        let (socket, _) = tokio_tungstenite::client_async(&url, stream).await.expect("a websocket");
        follow(options, session, socket).await
    }
}

async fn follow<B: Book, S>(options: &Options, session: &mut Session<B>, mut socket: tokio_tungstenite::WebSocketStream<S>) -> f64
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (count, idle) = (options.number("count", i64::MAX) as u64, options.number("idle-s", 2) as u64);
    socket.send(Message::text(options.text("hello", "go"))).await.expect("the first message");
    let (mut begun, mut newest) = (None, Instant::now());
    while session.messages < count {
        let wait = Duration::from_secs(if begun.is_some() { idle } else { 60 });
        // The timer is only armed while nothing is there: a ready socket is read without it.
        let next = match futures_util::FutureExt::now_or_never(socket.next()) {
            Some(next) => next,
            None => match tokio::time::timeout(wait, socket.next()).await {
                Ok(next) => next,
                Err(_) => break,
            },
        };
        match next {
            Some(Ok(Message::Text(text))) => {
                session.take(text.as_bytes(), now_ns());
                newest = Instant::now();
                begun.get_or_insert(newest);
            }
            Some(Ok(_)) => {}
            _ => break,
        }
    }
    newest.duration_since(begun.unwrap_or(newest)).as_secs_f64()
}

fn spin<B: Book>(options: &Options, session: &mut Session<B>) -> f64 {
    let url = options.text("url", "");
    let (secure, host) = address(&url);
    let stream = TcpStream::connect(&host).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let raw = stream.try_clone().expect("a second handle");
    if secure {
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let connection = rustls::ClientConnection::new(tls(&options.text("ca-file", "")), name).expect("TLS");
        spin_on(options, session, &url, raw, rustls::StreamOwned::new(connection, stream))
    } else {
        spin_on(options, session, &url, raw, stream)
    }
}

fn spin_on<B: Book, S: Read + Write>(options: &Options, session: &mut Session<B>, url: &str, raw: TcpStream, stream: S) -> f64 {
    let (mut socket, _): (WebSocket<S>, _) = tungstenite::client(url, stream).expect("a websocket");
    socket.send(Message::text(options.text("hello", "go"))).expect("the first message");
    raw.set_nonblocking(true).expect("a non-blocking socket");
    let count = options.number("count", i64::MAX) as u64;
    let (idle, mut begun, mut newest, mut turns) = (options.number("idle-s", 2) as u64, None, Instant::now(), 0u64);
    while session.messages < count {
        match socket.read() {
            Ok(Message::Text(text)) => {
                session.take(text.as_bytes(), now_ns());
                newest = Instant::now();
                begun.get_or_insert(newest);
            }
            Ok(_) => {}
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                std::hint::spin_loop();
                turns += 1;
                let patience = if begun.is_some() { idle } else { 60 };
                if turns % 65_536 == 0 && newest.elapsed() > Duration::from_secs(patience) {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    newest.duration_since(begun.unwrap_or(newest)).as_secs_f64()
}
