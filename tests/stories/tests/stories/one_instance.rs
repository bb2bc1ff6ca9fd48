//! A profile that another instance has open is not damaged, and opens when that one closes.

use std::path::Path;

use api::Api;
use contract::{AppState, Protect, Question, Stage};
use media::{AudioConfig, Microphone, NetworkConfig, Speaker};
use runtime::{NetConfig, RuntimeConfig};

async fn instance(folder: &Path) -> Api {
    let audio = AudioConfig {
        microphone: Microphone::Silence,
        speaker: Speaker::Null,
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    };
    let config = RuntimeConfig {
        profile_dir: folder.to_owned(),
        net: NetConfig { localhost: std::collections::BTreeMap::new() },
        suggested_domain: None,
        issuers: Vec::new(),
        audio,
        organisation: None,
        use_keyring: false,
        device_name: "Computer".into(),
        browser: None,
    };
    Api::with_config(config).await.unwrap()
}

async fn stands(app: &Api) -> AppState {
    serde_json::from_value(app.ask(Question::AppState).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_says_so_and_goes_on_when_the_first_is_closed() {
    let folder = tempfile::TempDir::new().unwrap();
    let first = instance(folder.path()).await;
    first.ask(Question::Protect(Protect::Unprotected)).await.unwrap();
    assert_eq!(stands(&first).await.stage, Stage::Welcome);

    let second = instance(folder.path()).await;
    let state = stands(&second).await;
    assert_eq!((state.stage, state.open_trouble.unwrap().code.as_str()), (Stage::Damaged, "profile-in-use"));

    first.close().await;
    drop(first);
    let state = stands(&second).await;
    assert_eq!((state.stage, state.open_trouble), (Stage::Welcome, None));
    second.close().await;
}
