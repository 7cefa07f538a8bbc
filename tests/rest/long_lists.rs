//! A list of any length takes no more memory than a few pages, also for clients that stop reading.

use std::net::SocketAddr;
use std::path::Path;

use convened::store::{DocumentRecord, Exported, SqliteSettings, SqliteStore, Store};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Rest;
use crate::process::{ACCOUNT, Process, Site};

const DOCUMENTS: usize = 2_000;
/// Of each document, in bytes. All together they are 120 MB.
const LENGTH: usize = 60_000;
const READERS: usize = 8;
/// Far less than the list, and than what all readers together would have been promised of it.
const MOST_MEMORY: usize = 100 << 20;

async fn fill(path: &Path) {
    let store = SqliteStore::open(SqliteSettings::new(path)).await.expect("a store");
    let text = json!({ "name": "long", "custom": "x".repeat(LENGTH) }).to_string();
    let documents = (0..DOCUMENTS).map(|number| {
        Exported::Document(DocumentRecord {
            id: format!("{number:032x}"),
            account: ACCOUNT.parse().expect("an account"),
            revision: "1-a".into(),
            created: 0,
            modified: 0,
            name: Some("long".into()),
            owner_id: None,
            numbers: Vec::new(),
            text: text.clone(),
        })
    });
    for batch in documents.collect::<Vec<_>>().chunks(100) {
        store.import(batch, false).await.expect("written");
    }
    store.close().await;
}

/// Asks for everything, reads a little, and then nothing more.
async fn stalled(address: SocketAddr, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let path = format!("/v2/accounts/{ACCOUNT}/conferences?paginate=false");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nx-auth-token: {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut beginning = [0; 1_000];
    stream.read_exact(&mut beginning).await.expect("it begins");
    assert!(beginning.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&beginning));
    stream
}

/// The most memory that a process has had, in bytes.
fn most_memory(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells it");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

#[tokio::test]
async fn a_whole_list_takes_a_few_pages_of_memory_however_long_it_is() {
    let site = Site::new().await;
    fill(&site.database()).await;
    let (daemon, address) = site.serving().await;
    let owner: Rest = site.owner(address).await;
    let token = owner.token.clone().expect("a token");
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(stalled(address, &token).await);
    }
    let whole = owner.get("conferences?paginate=false").await;
    let length = whole.body.len();
    let list = whole.ok();
    let ids: Vec<&Value> = list.as_array().expect("a list").iter().map(|line| &line["id"]).collect();
    assert_eq!(ids.len(), DOCUMENTS);
    assert!(ids.is_sorted_by_key(|id| id.as_str().map(str::to_owned)), "in order of their ids");
    assert!(length > DOCUMENTS * LENGTH && whole.json()["page_size"] == DOCUMENTS);
    let most = most_memory(&daemon);
    println!("{length} bytes were sent; the most memory was {most}");
    assert!(most < MOST_MEMORY, "{most} bytes for a list of {length}");
    // A page of large documents is cut short, and says where to go on.
    let page = owner.get("conferences?page_size=500").await;
    assert!(page.body.len() < 8 << 20 && page.json()["next_start_key"].is_string(), "{}", page.body.len());
    drop(readers);
}

#[tokio::test]
async fn who_shuts_his_side_down_after_the_request_hears_the_answer() {
    let site = Site::new().await;
    let (_daemon, address) = site.serving().await;
    let owner = site.owner(address).await;
    let token = owner.token.clone().expect("a token");
    let body = r#"{"data":{"name":"half"}}"#;
    let path = format!("/v2/accounts/{ACCOUNT}/conferences");
    for (method, path, body, status) in [
        ("PUT", path.as_str(), body, "201 Created"),
        ("GET", path.as_str(), "", "200 OK"),
        ("GET", &format!("{path}?paginate=false"), "", "200 OK"),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nx-auth-token: {token}\r\n");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.expect("asked");
        stream.shutdown().await.expect("no more to say");
        let mut answer = String::new();
        let heard = stream.read_to_string(&mut answer);
        tokio::time::timeout(crate::client::PATIENCE, heard).await.expect("an end").expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains("half"), "{answer:?}");
    }
}
