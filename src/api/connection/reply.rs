//! The body of an answer, which ends the request's errand when hyper has taken it over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use hyper::body::{Body, Frame, SizeHint};

use super::super::stream::{Broken, Outgoing};
use super::clock::Errand;

/// The bytes, and what is still to be done until they are all handed over.
pub(super) struct Reply {
    content: Outgoing,
    errand: Arc<Errand>,
}

impl Reply {
    pub(super) fn new(content: Outgoing, errand: Arc<Errand>) -> Self {
        Self { content, errand }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        match &mut this.content {
            Outgoing::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Outgoing::Pieces(pieces) => {
                let next = pieces.poll_next_unpin(cx);
                if next.is_ready() {
                    // hyper asks for the next piece when most of the last one is on its way.
                    this.errand.goes_on();
                }
                next.map(|piece| Some(piece?.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Outgoing::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Outgoing::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Outgoing::Pieces(_) => SizeHint::default(),
        }
    }
}
