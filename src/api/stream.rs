//! An answer that is sent piece by piece: a list of any length in bounded memory.
//!
//! ```text
//! {"data":[ piece "," piece ... ],"page_size":N,"status":"success",...}
//! ```
//!
//! A piece that cannot be made ends the connection in the middle of the answer, so that no client takes
//! what it has for everything. The first piece is made before the head is sent, and may be refused.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use serde::Serialize;

use super::ApiError;

/// The body of an answer.
pub(super) enum Outgoing {
    /// All of it, known in length.
    Whole(Bytes),
    /// One piece after the other.
    Pieces(Pieces),
}

/// The bytes of an answer that is still being made.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, Broken>>;

/// The answer cannot be finished; the log was told why.
#[derive(Debug, thiserror::Error)]
#[error("the answer cannot be finished")]
pub(super) struct Broken;

/// Items of a list as JSON, with commas between them.
#[derive(Debug)]
pub struct Items {
    count: usize,
    json: Vec<u8>,
}

impl Items {
    /// These items.
    ///
    /// # Errors
    /// 500, if one cannot be written as JSON.
    pub fn of(items: &[impl Serialize]) -> Result<Self, ApiError> {
        let mut json = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, item).map_err(|error| {
                ApiError::internal(format!("the answer cannot be written as JSON: {error}"))
            })?;
        }
        Ok(Self { count: items.len(), json })
    }
}

/// Pages of items.
pub(super) type Pages = Pin<Box<dyn Stream<Item = Result<Items, ApiError>> + Send>>;

/// Where a list is.
struct Sending {
    pages: Pages,
    count: usize,
    /// What comes after the last item, until it was sent.
    end: Option<Box<dyn FnOnce(usize) -> Vec<u8> + Send>>,
    request_id: String,
}

/// The envelope around the pages. `end` writes what follows `data`, from the number of items.
pub(super) fn envelope(
    pages: Pages,
    request_id: &str,
    end: impl FnOnce(usize) -> Vec<u8> + Send + 'static,
) -> Pieces {
    let sending = Sending { pages, count: 0, end: Some(Box::new(end)), request_id: request_id.to_owned() };
    let begin = stream::once(async { Ok(Bytes::from_static(b"{\"data\":[")) });
    begin
        .chain(stream::unfold(sending, |mut sending| async { Some((sending.next().await?, sending)) }))
        .boxed()
}

impl Sending {
    async fn next(&mut self) -> Option<Result<Bytes, Broken>> {
        self.end.as_ref()?;
        loop {
            match self.pages.next().await {
                Some(Ok(page)) if page.count == 0 => {}
                Some(Ok(page)) => return Some(Ok(self.joined(page))),
                Some(Err(error)) => {
                    self.end = None;
                    let id = self.request_id.as_str();
                    tracing::error!(request_id = id, "an answer was broken off: {error}");
                    return Some(Err(Broken));
                }
                None => {
                    let end = self.end.take()?;
                    return Some(Ok(end(self.count).into()));
                }
            }
        }
    }

    fn joined(&mut self, page: Items) -> Bytes {
        let mut json = page.json;
        if self.count > 0 {
            json.insert(0, b',');
        }
        self.count += page.count;
        json.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(pages: Vec<Result<Items, ApiError>>) -> (String, bool) {
        let end = |count| format!("],\"n\":{count}}}").into_bytes();
        let pieces: Vec<_> = envelope(stream::iter(pages).boxed(), "r", end).collect().await;
        let whole = pieces.iter().all(Result::is_ok);
        let text: Vec<u8> = pieces.into_iter().flatten().flatten().collect();
        (String::from_utf8(text).expect("UTF-8"), whole)
    }

    #[tokio::test]
    async fn pages_become_one_list_whatever_their_sizes() {
        let pages = |sizes: &[usize]| sizes.iter().map(|size| Items::of(&vec![7; *size])).collect();
        for (sizes, text) in [
            (&[][..], "{\"data\":[],\"n\":0}"),
            (&[0, 0], "{\"data\":[],\"n\":0}"),
            (&[0, 2, 0, 1, 0], "{\"data\":[7,7,7],\"n\":3}"),
        ] {
            assert_eq!(sent(pages(sizes)).await, (text.to_owned(), true));
        }
    }

    #[tokio::test]
    async fn a_page_that_fails_leaves_an_answer_that_is_seen_to_be_cut() {
        let pages = vec![Items::of(&[7]), Err(ApiError::internal("gone")), Items::of(&[7])];
        assert_eq!(sent(pages).await, ("{\"data\":[7".to_owned(), false));
    }
}
