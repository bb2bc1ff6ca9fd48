//! An issuer that can bind keys binds Ben's root key; one that only says so is taken as it is.

use crate::common::*;
use signin::*;

/// Ben's root key signs where it is kept; signing in never sees it.
fn root_key(irk: &keys::SigningKey) -> RootKey {
    let kept = irk.clone();
    RootKey::new(irk.verifying_key(), move |data| kept.sign(data))
}

fn config(issuer: &Issuer, irk: &keys::SigningKey) -> IssuerConfig {
    IssuerConfig { root_key: Some(root_key(irk)), ..IssuerConfig::new(&issuer.name) }
}

async fn ben_is_bound(mode: &str) {
    let issuer = Issuer::start(&[("KEY_BINDING", mode)]);
    let persona = new_ben();
    let signed_in = ben_signs_in(config(&issuer, &persona.irk), persona.nonce()).await.unwrap();
    assert_eq!(signed_in.binding, KeyBinding::Bound);
    let (header, claims) = (part(&signed_in.id_token, 0), part(&signed_in.id_token, 1));
    assert_eq!(header["typ"], "dpop+id_token");
    assert_eq!(claims["cnf"]["jwk"]["x"], persona.irk.verifying_key().to_string());
    let ben = persona.finish(&signed_in.id_token, now()).unwrap();
    let seen = stranger(&evidence(&ben), &issuer.name, IssuerKind::OpenId).await.unwrap();
    assert_eq!(seen.subject(), "ben");
}

#[tokio::test]
async fn an_issuer_that_binds_keys_binds_bens_root_key() {
    ben_is_bound("on").await;
}

#[tokio::test]
async fn an_issuer_that_wants_its_own_nonce_in_the_proof_gets_it() {
    ben_is_bound("nonce").await;
}

#[tokio::test]
async fn the_type_of_the_first_draft_counts_as_well() {
    let issuer = Issuer::start(&[("KEY_BINDING", "draft")]);
    let persona = new_ben();
    let signed_in = ben_signs_in(config(&issuer, &persona.irk), persona.nonce()).await.unwrap();
    assert_eq!(signed_in.binding, KeyBinding::Bound);
}

#[tokio::test]
async fn an_issuer_that_offers_it_and_gives_a_plain_token_is_taken_as_plain() {
    let issuer = Issuer::start(&[("KEY_BINDING", "silent")]);
    let persona = new_ben();
    let signed_in = ben_signs_in(config(&issuer, &persona.irk), persona.nonce()).await.unwrap();
    assert_eq!(signed_in.binding, KeyBinding::Withheld);
    let ben = persona.finish(&signed_in.id_token, now()).unwrap();
    assert!(stranger(&evidence(&ben), &issuer.name, IssuerKind::OpenId).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_does_not_offer_it_is_not_asked() {
    let issuer = Issuer::start(&[]);
    let persona = new_ben();
    let pending = SignIn::begin(&net(), config(&issuer, &persona.irk), "n".into()).await.unwrap();
    let url = pending.authorize_url().as_str();
    assert!(!url.contains("bound_key") && !url.contains("dpop_jkt"), "{url}");
    let signed_in = ben_signs_in(config(&issuer, &persona.irk), persona.nonce()).await.unwrap();
    assert_eq!(signed_in.binding, KeyBinding::NotOffered);
}

#[tokio::test]
async fn a_token_that_is_bound_to_another_key_is_refused() {
    let issuer = Issuer::start(&[("KEY_BINDING", "foreign")]);
    let persona = new_ben();
    let refused = ben_signs_in(config(&issuer, &persona.irk), persona.nonce()).await.unwrap_err();
    assert_eq!(refused, SignInError::BadToken("it is bound to another key"));
}

#[tokio::test]
async fn whoever_finds_the_refresh_token_cannot_use_it_without_the_root_key() {
    let issuer = Issuer::start(&[("KEY_BINDING", "on")]);
    let persona = new_ben();
    let bound = IssuerConfig { silent_renewal: true, ..config(&issuer, &persona.irk) };
    let signed_in = ben_signs_in(bound.clone(), persona.nonce()).await.unwrap();
    let token = signed_in.refresh_token.unwrap();
    let expected = Expected {
        issuer: issuer.name.clone(),
        subject: "ben".into(),
        audience: "parlance".into(),
        nonce: Some(persona.nonce()),
    };
    let thief = config(&issuer, &keys::SigningKey::generate());
    for thief in [IssuerConfig { root_key: None, ..thief.clone() }, thief] {
        let refused = renew(&net(), &thief, &token, &expected).await.unwrap_err();
        assert_eq!(refused, RenewError::Refused { error: "invalid_grant".into() });
    }
    let renewed = renew(&net(), &bound, &token, &expected).await.unwrap();
    assert_eq!(renewed.binding, KeyBinding::Bound);
}
