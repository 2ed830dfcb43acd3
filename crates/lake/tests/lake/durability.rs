//! The durable store: what a reader may see, and what a crash may leave behind.

use std::time::{Duration, SystemTime};

use futures::TryStreamExt as _;
use medfleet_lake::DurableFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

fn location(folder: &std::path::Path, name: &str) -> Path {
    Path::from_absolute_path(folder.canonicalize().unwrap()).unwrap().join("deep").join(name)
}

fn if_absent() -> PutOptions {
    PutOptions { mode: PutMode::Create, ..PutOptions::default() }
}

#[tokio::test]
async fn put_if_absent_keeps_the_first_and_leaves_no_staged_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableFileSystem::open(folder.path()).unwrap();
    let path = location(folder.path(), "a");
    store.put_opts(&path, "first".into(), if_absent()).await.unwrap();
    let second = store.put_opts(&path, "second".into(), if_absent()).await;
    assert!(matches!(second, Err(Error::AlreadyExists { .. })), "{second:?}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "first");
    store.put(&path, "third".into()).await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "third");
    let names: Vec<_> = std::fs::read_dir(folder.path().join("deep")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn an_upload_in_parts_appears_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableFileSystem::open(folder.path()).unwrap();
    let path = location(folder.path(), "big");
    let mut upload = store.put_multipart(&path).await.unwrap();
    let (first, second) = (upload.put_part("hello ".into()), upload.put_part("world".into()));
    second.await.unwrap();
    first.await.unwrap();
    assert!(matches!(store.head(&path).await, Err(Error::NotFound { .. })));
    upload.complete().await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "hello world");

    let mut dropped = store.put_multipart(&location(folder.path(), "dropped")).await.unwrap();
    dropped.put_part("x".into()).await.unwrap();
    drop(dropped);
    let names: Vec<_> = std::fs::read_dir(folder.path().join("deep")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn staged_files_are_invisible_and_swept_when_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = DurableFileSystem::open(folder.path()).unwrap();
    let path = location(folder.path(), "a");
    store.put(&path, "x".into()).await.unwrap();
    let deep = folder.path().join("deep");
    for (name, age_seconds) in [("old#1", 7_200), ("young#2", 60), ("kept#x3", 7_200)] {
        let file = std::fs::File::create(deep.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_seconds)).unwrap();
    }
    let root = Path::from_absolute_path(folder.path().canonicalize().unwrap()).unwrap();
    let listed: Vec<_> = store.list(Some(&root)).try_collect().await.unwrap();
    let names: Vec<_> = listed.iter().filter_map(|meta| meta.location.filename()).collect();
    assert!(!names.iter().any(|name| name.contains("old") || name.contains("young")), "{names:?}");
    assert_eq!(store.sweep_staged(&root).await.unwrap(), 1);
    assert!(!deep.join("old#1").exists() && deep.join("young#2").exists());
}
