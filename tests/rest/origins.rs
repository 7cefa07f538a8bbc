//! Pages of other origins: what browsers are told, and that nothing is told unless it is configured.

use http::Method;

use crate::client::{Answer, Rest};
use crate::house::House;

const APP: &str = "https://app.example.com";

async fn house(origins: &[&str]) -> House {
    let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
    House::with(1, |config| config.api.cors_origins = origins).await
}

async fn asked(rest: &Rest, origin: &str, path: &str) -> Answer {
    rest.ask(Method::GET, path).header("origin", origin).send().await
}

/// What a browser asks before a `PUT` with a token, as raw lines: no body comes back, so that it is no usual answer.
async fn preflight(house: &House, origin: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(house.address()).await.unwrap();
    let head = format!(
        "OPTIONS {path} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: PUT\r\n\
         Access-Control-Request-Headers: x-auth-token\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(crate::client::PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer.to_ascii_lowercase()
}

fn told(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(|name| name.as_str());
    names.filter(|name| name.starts_with("access-control-") || *name == "vary").collect()
}

#[tokio::test]
async fn nothing_is_told_unless_it_is_configured() {
    let house = house(&[]).await;
    let owner = house.owner().await;
    assert_eq!(told(&asked(&owner, APP, "conferences").await), [""; 0]);
    let refused = preflight(&house, APP, "/v2/schemas").await;
    assert!(refused.starts_with("http/1.1 405 ") && !refused.contains("access-control-"), "{refused}");
}

#[tokio::test]
async fn a_page_of_a_known_origin_may_ask_and_read() {
    let house = house(&[APP, "http://localhost:3000"]).await;
    let owner = house.owner().await;
    let answer = asked(&owner, APP, "conferences").await;
    answer.ok();
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    assert_eq!(answer.header("vary"), Some("origin"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("etag"));
    // A page has to read refusals, too.
    let refused = asked(&owner, APP, "conferences/nowhere").await;
    assert_eq!((refused.status.as_u16(), refused.header("access-control-allow-origin")), (404, Some(APP)));
    let path = format!("/v2/accounts/{}/conferences", owner.account);
    let answer = preflight(&house, APP, &path).await;
    assert!(answer.starts_with("http/1.1 204 "), "{answer}");
    for line in [
        "access-control-allow-origin: https://app.example.com\r\n",
        "access-control-allow-methods: get, head, put\r\n",
        "vary: origin\r\n",
        "x-auth-token",
    ] {
        assert!(answer.contains(line), "{line} is not in {answer}");
    }
    assert!(!answer.contains("credentials"), "{answer}");
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_nothing() {
    let house = house(&[APP]).await;
    let owner = house.owner().await;
    for other in ["https://app.example.com.evil.example", "http://app.example.com", "null", "*"] {
        let answer = asked(&owner, other, "conferences").await;
        assert_eq!(told(&answer), ["vary"], "{other}");
        let refused = preflight(&house, other, "/v2/schemas").await;
        assert!(refused.starts_with("http/1.1 405 ") && !refused.contains("access-control-"), "{refused}");
    }
}

#[tokio::test]
async fn any_origin_is_any_without_credentials() {
    let house = house(&["*"]).await;
    let owner = house.owner().await;
    let answer = asked(&owner, "https://somebody.example", "conferences").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(told(&owner.get("conferences").await), [""; 0], "no page has asked");
    assert!(preflight(&house, "null", "/v2/schemas").await.contains("access-control-allow-origin: *\r\n"));
}
