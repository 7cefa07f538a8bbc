//! Reads a body within limits of size and time, and gets rid of one that nobody will read.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use super::{ApiError, Limits};

/// How many times the limit of a body is read and thrown away for a client to hear the refusal.
const DRAIN_FACTOR: usize = 64;

/// Refuses, before a byte is read, a body that says it is too large.
///
/// # Errors
/// 413.
pub(super) fn check_announced(body: &Incoming, limits: &Limits) -> Result<(), ApiError> {
    // hyper has checked Content-Length; a chunked body announces nothing.
    if body.size_hint().lower() > limits.max_body_bytes as u64 {
        return Err(ApiError::body_too_large(limits.max_body_bytes));
    }
    Ok(())
}

/// Reads the whole body.
///
/// # Errors
/// 413, 408, or 400 if the client broke off.
pub(super) async fn read(body: &mut Incoming, limits: &Limits) -> Result<Bytes, ApiError> {
    match timeout(limits.body_timeout, collect(body, limits.max_body_bytes)).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::request_timeout()),
    }
}

async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, ApiError> {
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| ApiError::invalid_request(format!("the body broke off: {error}")))?;
        // Trailers say nothing to us.
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit {
            return Err(ApiError::body_too_large(limit));
        }
        // Most bodies are one frame, which needs no copy.
        match &mut rest {
            None if first.is_empty() => first = data,
            None => {
                let mut joined = BytesMut::with_capacity(length);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&data);
                rest = Some(joined);
            }
            Some(rest) => rest.extend_from_slice(&data),
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// Whether a client that still sends must be read on, to hear the refusal: closed with unread bytes,
/// TCP resets the connection and throws the answer away.
pub(super) fn must_drain(body: &Incoming, headers: &HeaderMap) -> bool {
    // A client that waits for `100 Continue` takes the refusal for an answer and sends nothing.
    !body.is_end_stream() && !headers.contains_key(EXPECT)
}

/// Reads and throws away, up to a point.
pub(super) async fn drain(mut body: Incoming, limits: Limits) {
    let mut left = limits.max_body_bytes.saturating_mul(DRAIN_FACTOR);
    let patience = Duration::min(limits.body_timeout, Duration::from_secs(30));
    // Out of time or bytes, the body is dropped, and hyper closes the connection.
    let _ = timeout(patience, async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    })
    .await;
}
