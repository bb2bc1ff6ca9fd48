//! Ben's attestation grows old, and is renewed without troubling him.

use crate::common::*;
use message::Private;
use signin::*;
use transport::FetchError;

/// Ben signs in once and wants to be renewed silently.
async fn first_sign_in(config: &IssuerConfig) -> (SignedIn, Expected, Private<String>) {
    let config = IssuerConfig { silent_renewal: true, ..config.clone() };
    let signed_in = ben_signs_in(config.clone(), "our nonce".into()).await.unwrap();
    let claims = part(&signed_in.id_token, 1);
    let word = |name: &str| claims[name].as_str().unwrap().to_owned();
    let expected =
        Expected { issuer: word("iss"), subject: word("sub"), audience: word("aud"), nonce: Some(word("nonce")) };
    let token = signed_in.refresh_token.clone().expect("it was asked for");
    (signed_in, expected, token)
}

#[tokio::test]
async fn ben_is_renewed_again_and_again_without_a_login() {
    let issuer = Issuer::start(&[]);
    let config = IssuerConfig::new(&issuer.name);
    let (first, expected, mut token) = first_sign_in(&config).await;
    for _ in 0..2 {
        let renewed = renew(&net(), &config, &token, &expected).await.unwrap();
        let (old, new) = (part(&first.id_token, 1), part(&renewed.id_token, 1));
        assert_eq!((&old["iss"], &old["sub"], &old["aud"]), (&new["iss"], &new["sub"], &new["aud"]));
        assert!(new["iat"].as_i64() >= old["iat"].as_i64());
        assert_eq!(renewed.binding, KeyBinding::NotOffered);
        let next = renewed.refresh_token.clone().expect("this issuer gives each token for one use");
        assert!(next != token);
        assert!(!format!("{renewed:?} {first:?} {token:?} {expected:?}").contains(&next.0));
        token = next;
    }
}

#[tokio::test]
async fn a_refresh_token_is_asked_for_only_when_ben_wants_it() {
    let issuer = Issuer::start(&[]);
    let signed_in = ben_signs_in(IssuerConfig::new(&issuer.name), "n".into()).await.unwrap();
    assert_eq!(signed_in.refresh_token, None);
    // And what an issuer gives unasked is not kept.
    let scopes = vec!["offline_access".to_owned()];
    let unasked = IssuerConfig { scopes, ..IssuerConfig::new(&issuer.name) };
    assert_eq!(ben_signs_in(unasked, "n".into()).await.unwrap().refresh_token, None);
    let google =
        IssuerConfig { silent_renewal: true, offline_by: OfflineBy::AccessType, ..IssuerConfig::new(&issuer.name) };
    let pending = SignIn::begin(&net(), google, "n".into()).await.unwrap();
    let url = pending.authorize_url().as_str();
    assert!(url.contains("access_type=offline") && !url.contains("offline_access"), "{url}");
}

#[tokio::test]
async fn an_old_refresh_token_leads_to_the_browser() {
    let issuer = Issuer::start(&[]);
    let config = IssuerConfig::new(&issuer.name);
    let (_, expected, token) = first_sign_in(&config).await;
    let next = renew(&net(), &config, &token, &expected).await.unwrap().refresh_token.unwrap();
    // Somebody stole the first one and uses it: the issuer ends both.
    for token in [token, next] {
        let refused = renew(&net(), &config, &token, &expected).await.unwrap_err();
        assert_eq!(refused, RenewError::Refused { error: "invalid_grant".into() });
        assert!(refused.needs_browser());
    }
}

#[tokio::test]
async fn a_renewal_about_somebody_else_is_a_mismatch() {
    let issuer = Issuer::start(&[]);
    let config = IssuerConfig::new(&issuer.name);
    let (_, ben, token) = first_sign_in(&config).await;
    let elsewhere = Expected { issuer: "https://elsewhere.example".into(), ..ben.clone() };
    let other_app = Expected { audience: "another".into(), ..ben.clone() };
    let alice = Expected { subject: "alice".into(), ..ben.clone() };
    for (expected, what) in [(elsewhere, "issuer"), (other_app, "audience"), (alice, "subject")] {
        let mismatch = renew(&net(), &config, &token, &expected).await.unwrap_err();
        assert_eq!((mismatch.needs_browser(), mismatch), (true, RenewError::Mismatch(what)));
    }
    let (_, ben, token) = first_sign_in(&config).await;
    let other_nonce = Expected { nonce: Some("another".into()), ..ben };
    assert_eq!(renew(&net(), &config, &token, &other_nonce).await.unwrap_err(), RenewError::Mismatch("nonce"));
}

#[tokio::test]
async fn an_issuer_that_is_away_is_asked_later() {
    let issuer = Issuer::start(&[]);
    let config = IssuerConfig::new(&issuer.name);
    let (_, expected, token) = first_sign_in(&config).await;
    drop(issuer);
    let away = renew(&net(), &config, &token, &expected).await.unwrap_err();
    assert!(matches!(away, RenewError::Unreachable(FetchError::Unreachable(_))), "{away:?}");
    assert!(!away.needs_browser(), "the token is still good");
    assert!(matches!(forget(&net(), &config, &token).await, Err(RenewError::Unreachable(_))));
}

#[tokio::test]
async fn a_refresh_token_that_is_given_back_renews_nothing() {
    for environment in [&[][..], &[("CLIENT_SECRET", "not really + one")]] {
        let issuer = Issuer::start(environment);
        let client_secret = environment.first().map(|(_, secret)| Private((*secret).to_owned()));
        let config = IssuerConfig { client_secret, ..IssuerConfig::new(&issuer.name) };
        let (_, expected, token) = first_sign_in(&config).await;
        assert_eq!(forget(&net(), &config, &token).await, Ok(Forgotten::Revoked));
        let refused = renew(&net(), &config, &token, &expected).await.unwrap_err();
        assert_eq!(refused, RenewError::Refused { error: "invalid_grant".into() });
    }
}

#[tokio::test]
async fn an_issuer_without_revocation_says_so() {
    let issuer = Issuer::start(&[("NO_REVOCATION", "1")]);
    let token = Private("t".to_owned());
    assert_eq!(forget(&net(), &IssuerConfig::new(&issuer.name), &token).await, Ok(Forgotten::NotSupported));
    let issuer = Issuer::start(&[("CLIENT_SECRET", "one")]);
    let wrong = IssuerConfig { client_secret: Some(Private("another".into())), ..IssuerConfig::new(&issuer.name) };
    assert_eq!(forget(&net(), &wrong, &token).await, Err(RenewError::Refused { error: "invalid_client".into() }));
}
