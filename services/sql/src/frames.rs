//! A bound on every message a client sends, checked while its bytes come in: the codec above would wait for a gigabyte.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const LENGTH_BYTES: usize = 4;

/// Follows the lengths of messages. The first message of a connection has no type byte, all later ones have.
#[derive(Debug, Default)]
struct Lengths {
    typed: bool,
    header: [u8; 1 + LENGTH_BYTES],
    header_bytes: usize,
    body_bytes_left: usize,
}

impl Lengths {
    /// Takes bytes in; the length of a message that is longer than it may be, or impossible.
    fn follow(&mut self, mut bytes: &[u8], limit_bytes: usize) -> Result<(), usize> {
        while !bytes.is_empty() {
            if self.body_bytes_left > 0 {
                let taken = self.body_bytes_left.min(bytes.len());
                self.body_bytes_left -= taken;
                bytes.advance(taken);
                continue;
            }
            self.header[self.header_bytes] = bytes.get_u8();
            self.header_bytes += 1;
            let wanted = LENGTH_BYTES + usize::from(self.typed);
            if self.header_bytes == wanted {
                let length = (&self.header[wanted - LENGTH_BYTES..wanted]).get_u32() as usize;
                if length > limit_bytes || length < LENGTH_BYTES {
                    return Err(length);
                }
                *self = Self { typed: true, body_bytes_left: length - LENGTH_BYTES, ..Self::default() };
            }
        }
        Ok(())
    }
}

/// A stream that ends in an error at a message longer than the limit, which may be raised while it runs.
pub struct Bounded<S> {
    inner: S,
    /// Read while it was not yet known what would follow.
    ahead: Bytes,
    lengths: Lengths,
    limit_bytes: Arc<AtomicUsize>,
}

impl<S> Bounded<S> {
    pub fn new(inner: S, ahead: Bytes, limit_bytes: Arc<AtomicUsize>) -> Self {
        Self { inner, ahead, lengths: Lengths::default(), limit_bytes }
    }

    fn follow(&mut self, bytes: &[u8]) -> io::Result<()> {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        let too_long = |length| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a message of {length} bytes is refused: use between 4 and {limit}"),
            )
        };
        self.lengths.follow(bytes, limit).map_err(too_long)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let taken = this.ahead.split_to(this.ahead.len().min(buf.remaining()));
            buf.put_slice(&taken);
            return Poll::Ready(this.follow(&taken));
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(this.follow(&buf.filled()[before..])),
            other => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: Option<u8>, body: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = kind.into_iter().collect();
        bytes.extend(u32::try_from(LENGTH_BYTES + body).unwrap().to_be_bytes());
        bytes.resize(bytes.len() + body, b'x');
        bytes
    }

    #[test]
    fn messages_are_told_apart_however_they_are_cut_into_reads() {
        let told = [message(None, 10), message(Some(b'Q'), 0), message(Some(b'Q'), 20)].concat();
        for size in 1..=told.len() {
            let mut lengths = Lengths::default();
            assert!(told.chunks(size).all(|chunk| lengths.follow(chunk, 24).is_ok()), "{size}");
        }
        let mut lengths = Lengths::default();
        assert_eq!(lengths.follow(&told, 23), Err(24));
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_before_its_body() {
        for length in [0_u32, 3, 1 << 30, u32::MAX] {
            assert_eq!(Lengths::default().follow(&length.to_be_bytes(), 1 << 20), Err(length as usize));
        }
    }
}
