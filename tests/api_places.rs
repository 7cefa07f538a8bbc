//! Where the API listens: several addresses, TLS with a certificate that changes, a unix socket.

#[path = "support/rest.rs"]
mod client;
#[path = "rest/process.rs"]
#[allow(dead_code, reason = "a part is used")]
mod process;

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use convened::config::Listen;
use convened::tls::Trust;
use futures_util::{SinkExt, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use client::{PATIENCE, look_again};
use process::{ACCOUNT, Process, Site, output};

/// A daemon with a certificate for `localhost` and `127.0.0.1`, and who has issued it.
struct Place {
    site: Site,
    authority: Issuer<'static, KeyPair>,
    daemon: Process,
    listens: Vec<Listen>,
    token: String,
}

impl Place {
    async fn start(more: &[(&str, &str)]) -> Self {
        let site = Site::new().await;
        let authority = authority(&site.folder.path().join("root.pem"));
        issue(&site, &authority);
        let listen = format!("127.0.0.1:0, tls:127.0.0.1:0, unix:{}", socket(&site).display());
        let (daemon, listens) = run(&site, &listen, more).await;
        let token = site.token(&["create", "--account", ACCOUNT, "--scope", "read,control,write"]).await;
        Self { site, authority, daemon, listens, token }
    }

    fn tls(&self) -> SocketAddr {
        let tls = self.listens.iter().find(|place| matches!(place, Listen::Tls(_)));
        tls.and_then(Listen::tcp).expect("an address with TLS")
    }

    fn trust(&self) -> Trust {
        Trust::load(Some(&self.site.folder.path().join("root.pem"))).expect("a root")
    }

    async fn secure(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.tls()).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        self.trust().connector().connect(name, stream).await.expect("TLS")
    }

    /// What it lists, asked over any connection.
    async fn list(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Answer {
        ask(stream, &format!("/v2/accounts/{ACCOUNT}/conferences"), &self.token).await
    }

    /// The program with these arguments, as somebody who has the token.
    async fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convened"));
        command.args(arguments).env("CONVENED_TOKEN", &self.token).env("CONVENED_ACCOUNT", ACCOUNT);
        command.env_remove("CONVENED_URL").env_remove("CONVENED_CA_FILE");
        let output = output(command).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().expect("an end"), text(&output.stdout), text(&output.stderr))
    }
}

fn socket(site: &Site) -> PathBuf {
    site.folder.path().join("api.sock")
}

/// A daemon there; where it says that it listens.
async fn run(site: &Site, listen: &str, more: &[(&str, &str)]) -> (Process, Vec<Listen>) {
    let folder = site.folder.path();
    let (certificate, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let mut variables = vec![("CONVENED__API__LISTEN", listen)];
    let (certificate, key) = (certificate.to_string_lossy(), key.to_string_lossy());
    if listen.contains("tls:") {
        variables.push(("CONVENED__API__TLS_CERTIFICATE", &certificate));
        variables.push(("CONVENED__API__TLS_KEY", &key));
    }
    variables.extend_from_slice(more);
    let daemon = site.run(&variables).await;
    let line = daemon.err.until(|line| line.contains("\"serving\"")).await;
    let line: Value = serde_json::from_str(&line).expect("a line of JSON");
    let places = line["address"].as_str().expect("where").split(", ");
    (daemon, places.map(|place| place.parse().expect("a place")).collect())
}

/// Somebody who issues certificates; the root is written to that file.
fn authority(root: &Path) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(root, params.self_signed(&key).expect("signed").pem()).expect("written");
    Issuer::new(params, key)
}

/// Writes a new certificate and its key; the certificate as clients see it.
fn issue(site: &Site, authority: &Issuer<'static, KeyPair>) -> Vec<u8> {
    let key = KeyPair::generate().expect("a key");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).expect("parameters");
    let certificate = params.signed_by(&key, authority).expect("signed");
    std::fs::write(site.folder.path().join("chain.pem"), certificate.pem()).expect("written");
    std::fs::write(site.folder.path().join("key.pem"), key.serialize_pem()).expect("written");
    certificate.der().to_vec()
}

fn shown(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("one")[0].to_vec()
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str, token: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    stream.flush().await.expect("it reads");
    answer(stream).await
}

async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    let reading = async {
        loop {
            assert!(stream.read_buf(&mut bytes).await.expect("bytes") > 0, "it is closed");
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            if bytes.len() >= end + 4 + length {
                let status = head[9..12].parse().expect("a status");
                let body = serde_json::from_slice(&bytes[end + 4..]).expect("JSON");
                return Answer { status, head, body };
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("an answer in time")
}

#[tokio::test]
async fn it_listens_everywhere_at_once() {
    let place = Place::start(&[]).await;
    assert_eq!(place.listens.len(), 3, "{:?}", place.listens);
    let plain = place.listens[0].tcp().expect("an address");
    let mut streams = (
        TcpStream::connect(plain).await.expect("it listens"),
        place.secure().await,
        UnixStream::connect(socket(&place.site)).await.expect("it listens"),
    );
    for answer in
        [place.list(&mut streams.0).await, place.list(&mut streams.1).await, place.list(&mut streams.2).await]
    {
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("success")), "{answer:?}");
    }
    // Nobody needs less of a token because he is near.
    assert_eq!(ask(&mut streams.2, "/v2/nodes", "").await.status, 401);
    // Which the metrics do not want from somebody of this machine.
    streams
        .2
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut metrics = String::new();
    streams.2.read_to_string(&mut metrics).await.expect("an answer");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    place.daemon.signal("TERM").await;
    assert_eq!(place.daemon.ended().await.code, Some(0));
    assert!(!socket(&place.site).exists(), "the socket is taken away");
}

#[tokio::test]
async fn the_websocket_goes_over_tls_too() {
    let place = Place::start(&[]).await;
    let mut request = "ws://localhost/ws".into_client_request().expect("a request");
    request.headers_mut().insert("x-auth-token", place.token.parse().expect("a header"));
    let (mut socket, _) = client_async(request, place.secure().await).await.expect("it is upgraded");
    let subscribe = json!({ "action": "subscribe", "data": { "account_id": ACCOUNT, "binding": "conference.event.*.*" } });
    socket.send(Message::text(subscribe.to_string())).await.expect("sent");
    let reply = socket.next().await.expect("a reply").expect("a message").into_text().expect("text");
    assert!(reply.contains("\"success\""), "{reply}");
}

#[tokio::test]
async fn who_forgets_tls_is_told_so() {
    let place = Place::start(&[]).await;
    let mut stream = TcpStream::connect(place.tls()).await.expect("it listens");
    let answer = place.list(&mut stream).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.to_string().contains("speaks TLS: ask for https://"), "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{answer:?}");
}

#[tokio::test]
async fn who_does_not_agree_on_tls_in_time_is_let_go() {
    let place = Place::start(&[("CONVENED__API__HEADER_TIMEOUT_MS", "200")]).await;
    let mut silent = TcpStream::connect(place.tls()).await.expect("it listens");
    // The beginning of a handshake, and nothing more.
    silent.write_all(&[22, 3, 1, 2]).await.expect("sent");
    let end = timeout(PATIENCE, silent.read(&mut [0; 64])).await.expect("it ends");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn the_one_too_many_is_told_so_over_tls() {
    let place = Place::start(&[("CONVENED__API__MAX_CONNECTIONS", "1")]).await;
    let mut first = place.secure().await;
    assert_eq!(place.list(&mut first).await.status, 200);
    let mut second = place.secure().await;
    let refused = answer(&mut second).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    // Who has a place of his own to come in by is not hindered.
    let mut near = UnixStream::connect(socket(&place.site)).await.expect("it listens");
    assert_eq!(place.list(&mut near).await.status, 200);
}

#[tokio::test]
async fn a_new_certificate_is_taken_over_and_a_broken_one_is_not() {
    let mut place = Place::start(&[]).await;
    let mut old = place.secure().await;
    let before = shown(&old);
    let second = issue(&place.site, &place.authority);
    assert_ne!(before, second);
    place.daemon.signal("HUP").await;
    place.daemon.err.until(|line| line.contains("the configuration is taken over")).await;
    let told = place.daemon.err.so_far();
    assert!(told.iter().any(|line| line.contains("the new certificate of the API is in use")), "{told:#?}");
    assert_eq!(shown(&place.secure().await), second);
    assert_eq!(place.list(&mut old).await.status, 200, "who was there stays");

    // A key that is not the certificate's: what was good goes on.
    let other = KeyPair::generate().expect("a key");
    std::fs::write(place.site.folder.path().join("key.pem"), other.serialize_pem()).expect("written");
    place.daemon.signal("HUP").await;
    let line = place.daemon.err.until(|line| line.contains("is not the key of")).await;
    assert!(line.contains("key.pem") && line.contains("chain.pem"), "{line}");
    assert_eq!(shown(&place.secure().await), second);

    // What else has changed is taken over all the same.
    place.daemon.err.until(|line| line.contains("a daemon does not start with that")).await;
    let told = place.daemon.err.so_far();
    assert_eq!(told.iter().filter(|line| line.contains("the configuration is taken over")).count(), 2);

    // Nobody has to say that there is another one.
    let third = issue(&place.site, &place.authority);
    let seen = async {
        while shown(&place.secure().await) != third {
            look_again().await;
        }
    };
    timeout(PATIENCE, seen).await.expect("it is seen");
    // Started again with what cannot work, it says what.
    std::fs::write(place.site.folder.path().join("key.pem"), "no key").expect("written");
    place.daemon.signal("TERM").await;
    place.daemon = place
        .site
        .run(&[
            ("CONVENED__API__LISTEN", "tls:127.0.0.1:0"),
            ("CONVENED__API__TLS_CERTIFICATE", &place.site.folder.path().join("chain.pem").to_string_lossy()),
            ("CONVENED__API__TLS_KEY", &place.site.folder.path().join("key.pem").to_string_lossy()),
        ])
        .await;
    let ended = place.daemon.ended().await;
    // Not 78, with which systemd would not try again: it may be right in a moment.
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("key.pem: has no private key in PEM"), "{}", ended.err);
}

#[tokio::test]
async fn a_socket_has_its_permissions_and_replaces_only_a_dead_one() {
    let site = Site::new().await;
    let path = socket(&site);
    let listen = format!("unix:{}", path.display());
    // What a killed daemon leaves behind.
    drop(UnixListener::bind(&path).expect("a socket"));
    let (daemon, listens) = run(&site, &listen, &[("CONVENED__API__SOCKET_MODE", "0600")]).await;
    assert_eq!(listens, [Listen::Unix(path.clone())]);
    let made = std::fs::symlink_metadata(&path).expect("there");
    assert!(made.file_type().is_socket());
    assert_eq!(made.permissions().mode() & 0o7777, 0o600);

    // A second daemon does not take it away from the first.
    let beside = Site::new().await;
    let second = beside.run(&[("CONVENED__API__LISTEN", &listen)]).await.ended().await;
    assert!(second.code != Some(0) && second.err.contains("another program listens there"), "{second:?}");
    assert!(UnixStream::connect(&path).await.is_ok());

    daemon.signal("KILL").await;
    daemon.ended().await;
    assert!(path.exists());
    let (daemon, _) = run(&site, &listen, &[]).await;
    assert_eq!(std::fs::symlink_metadata(&path).expect("there").permissions().mode() & 0o7777, 0o660);
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code, Some(0));

    std::fs::write(&path, "a letter").expect("written");
    let third = site.run(&[("CONVENED__API__LISTEN", &listen)]).await.ended().await;
    assert!(third.code != Some(0) && third.err.contains("there is a file that is no socket"), "{third:?}");
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "a letter");
}

#[tokio::test]
async fn wrong_tokens_over_a_socket_count_for_their_user_and_for_nobody_else() {
    let place = Place::start(&[]).await;
    let path = format!("/v2/accounts/{ACCOUNT}/conferences");
    let mut near = UnixStream::connect(socket(&place.site)).await.expect("it listens");
    for _ in 0..10 {
        assert_eq!(ask(&mut near, &path, &"0".repeat(64)).await.status, 401);
    }
    assert_eq!(ask(&mut near, &path, &"0".repeat(64)).await.status, 429);
    let line = place.daemon.err.until(|line| line.contains("too many wrong credentials")).await;
    assert!(line.contains("\"unix, user "), "{line}");
    assert_eq!(place.list(&mut place.secure().await).await.status, 200);
}

#[tokio::test]
async fn commands_find_it_on_its_socket_and_over_tls() {
    let place = Place::start(&[]).await;
    let near = format!("unix:{}", socket(&place.site).display());
    let (code, out, err) = place.command(&["list", "--json", "--url", &near]).await;
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(serde_json::from_str::<Value>(&out).is_ok(), "{out}");

    let far = format!("https://localhost:{}", place.tls().port());
    let root = place.site.folder.path().join("root.pem");
    let root = root.to_string_lossy();
    let (code, out, err) = place.command(&["list", "--json", "--url", &far, "--ca-file", &root]).await;
    assert_eq!((code, &*err), (0, ""), "{out}");

    // Somebody else's root is not believed, and no token is sent.
    let stranger = place.site.folder.path().join("stranger.pem");
    authority(&stranger);
    let (code, _, err) =
        place.command(&["list", "--url", &far, "--ca-file", &stranger.to_string_lossy()]).await;
    assert!(
        code == 78 && err.contains("invalid peer certificate") && err.contains("--ca-file"),
        "{code}: {err}"
    );
    let (code, _, err) = place.command(&["list", "--url", &far, "--ca-file", "nowhere.pem"]).await;
    assert!(code == 78 && err.contains("nowhere.pem: cannot be read"), "{code}: {err}");
    let plain = format!("https://{}", place.listens[0]);
    let (code, _, err) = place.command(&["list", "--url", &plain, "--ca-file", &root]).await;
    assert!(code == 78 && err.contains("perhaps http:// is meant"), "{code}: {err}");
}
