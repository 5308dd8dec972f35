//! What follows each commit without being in its way: the views, and the head file.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::Notify;

use super::Inner;

/// The views are caught up at most this often: one transaction for many commits. Reads are complete meanwhile.
pub(super) const VIEWS_EVERY: Duration = Duration::from_millis(20);
/// The head file is written at most this often; it may lag a commit by as much.
const HEAD_EVERY: Duration = Duration::from_millis(500);

/// Keeps the views behind the commit.
pub(super) async fn follow_views(inner: std::sync::Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        if strong.ending.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = strong.store.catch_up().await {
            strong.close_because(&format!("the views: {error}"));
            return;
        }
        strong.tell(strong.store.head().size);
        let news = Arc::clone(&strong.changed);
        drop(strong);
        wait(news).await;
        tokio::time::sleep(VIEWS_EVERY).await;
    }
}

/// Keeps the head file behind the commit.
pub(super) async fn follow_head(inner: std::sync::Weak<Inner>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        if strong.ending.load(Ordering::Acquire) {
            return;
        }
        let writing = Arc::clone(&strong);
        let written = tokio::task::spawn_blocking(move || writing.write_head()).await;
        if let Ok(Err(error)) = written {
            strong.close_because(&format!("the head file: {error}"));
            return;
        }
        let news = Arc::clone(&strong.head_changed);
        drop(strong);
        wait(news).await;
        tokio::time::sleep(HEAD_EVERY).await;
    }
}

/// Waits for news, looking up now and then whether the ledger is still there; holds nothing of it meanwhile.
async fn wait(news: Arc<Notify>) {
    const LOOK_UP: Duration = Duration::from_secs(1);
    drop(tokio::time::timeout(LOOK_UP, news.notified()).await);
}
