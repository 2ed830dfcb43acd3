//! A receiver of webhooks that keeps what it was sent and answers when told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub struct Post {
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

pub struct Sink {
    pub url: String,
    pub posts: Arc<Mutex<Vec<Post>>>,
    /// The status to answer with; 0: none, until there is one.
    pub answer: watch::Sender<u16>,
}

impl Sink {
    pub async fn open(answer: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (answer, heard) = watch::channel(answer);
        let posts: Arc<Mutex<Vec<Post>>> = Arc::default();
        let kept = Arc::clone(&posts);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&kept), heard.clone()));
            }
        });
        Self { url, posts, answer }
    }

    pub fn taken(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.taken().iter().map(|post| post.headers["webhook-id"].clone()).collect()
    }
}

async fn take(stream: TcpStream, kept: Arc<Mutex<Vec<Post>>>, mut answer: watch::Receiver<u16>) {
    let mut stream = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        match line.trim().split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_lowercase(), value.to_owned())),
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    kept.lock().unwrap().push(Post { headers, body: String::from_utf8(body).unwrap() });
    let Ok(status) = answer.wait_for(|status| *status > 0).await.map(|status| *status) else { return };
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes()).await;
}
