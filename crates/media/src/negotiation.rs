//! The order of descriptions and candidates in one call.

use call::{Candidate, CandidateError, Fingerprint, MediaKind, Sdp, Setup};

use crate::error::MediaError;

/// Candidates we take from a peer for one call.
const CANDIDATES: usize = 64;

/// Where the negotiation is. A call has one offer and one answer; the same side may offer again to
/// look for another path, and nothing but the path may be another then.
#[derive(Debug, Default)]
pub(crate) struct Negotiation {
    phase: Phase,
    we_offered: bool,
    certificates: Vec<Fingerprint>,
    known: Option<Known>,
    prepared: Option<Prepared>,
    early: Vec<Candidate>,
    taken: usize,
}

/// The answer to an offer that nobody accepted yet.
#[derive(Debug)]
struct Prepared {
    offer: String,
    answer: String,
}

/// What the peer's last description said, and the next may not say again, or must.
#[derive(Debug)]
struct Known {
    ufrag: String,
    pwd: String,
    setup: Setup,
    kinds: Vec<MediaKind>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Fresh,
    Offered,
    /// The peer's offer was read and nobody accepted it yet.
    Prepared,
    /// The peer's description is being read or was read.
    Settled,
}

impl Negotiation {
    pub(crate) fn offer(&mut self) -> Result<(), MediaError> {
        self.step(Phase::Fresh, Phase::Offered, "an offer was made or read already")?;
        self.we_offered = true;
        Ok(())
    }

    /// Begins to look for another path; an offer that was not answered yet is forgotten.
    pub(crate) fn offer_again(&mut self) -> Result<(), MediaError> {
        if self.certificates.is_empty() || !self.we_offered {
            return Err(MediaError::OutOfOrder("only who offered a call that was answered offers again"));
        }
        self.phase = Phase::Offered;
        Ok(())
    }

    pub(crate) fn read_offer(&mut self, text: &str) -> Result<Sdp, MediaError> {
        let sdp = Sdp::parse(text)?;
        if self.we_offered {
            return Err(MediaError::OutOfOrder("an offer was made already"));
        }
        if self.phase == Phase::Prepared {
            return Err(MediaError::OutOfOrder("the offer that was read waits to be accepted"));
        }
        self.settle(&sdp)?;
        self.phase = Phase::Settled;
        Ok(sdp)
    }

    /// Keeps the answer to the offer that was read until somebody accepts; the peer's candidates wait so long.
    pub(crate) fn prepared(&mut self, offer: &str, answer: String) {
        self.prepared = Some(Prepared { offer: offer.to_owned(), answer });
        self.phase = Phase::Prepared;
    }

    /// The offer that was read and its answer, if it is this one.
    pub(crate) fn take_prepared(&mut self, offer: &str) -> Result<Option<(Sdp, String)>, MediaError> {
        let Some(prepared) = self.prepared.take() else { return Ok(None) };
        if prepared.offer != offer {
            return Err(MediaError::OutOfOrder("another offer was read already"));
        }
        self.phase = Phase::Settled;
        Ok(Some((Sdp::parse(offer)?, prepared.answer)))
    }

    pub(crate) fn read_answer(&mut self, text: &str) -> Result<Sdp, MediaError> {
        let sdp = Sdp::parse(text)?;
        if sdp.setup() == Setup::ActPass {
            return Err(MediaError::OutOfOrder("an answer must decide who begins"));
        }
        if self.phase != Phase::Offered {
            return Err(MediaError::OutOfOrder("there is no offer to answer"));
        }
        self.settle(&sdp)?;
        self.phase = Phase::Settled;
        Ok(sdp)
    }

    /// Takes a candidate in; gives it back if it can be used now.
    pub(crate) fn candidate(&mut self, text: &str) -> Result<Option<Candidate>, MediaError> {
        let Some(candidate) = Candidate::parse(text)? else {
            return Ok(None);
        };
        self.count()?;
        if self.phase != Phase::Settled {
            self.early.push(candidate);
            return Ok(None);
        }
        self.belongs(&candidate)?;
        Ok(Some(candidate))
    }

    /// The candidates that came before the description, and those that stood in it.
    pub(crate) fn waiting(&mut self, sdp: &Sdp) -> Vec<Candidate> {
        let early = std::mem::take(&mut self.early);
        let early = early.into_iter().filter(|candidate| self.belongs(candidate).is_ok());
        early.chain(sdp.candidates().iter().cloned()).collect()
    }

    fn step(&mut self, from: Phase, to: Phase, otherwise: &'static str) -> Result<(), MediaError> {
        if self.phase != from {
            return Err(MediaError::OutOfOrder(otherwise));
        }
        self.phase = to;
        Ok(())
    }

    fn settle(&mut self, sdp: &Sdp) -> Result<(), MediaError> {
        if let Some(known) = &self.known {
            if self.certificates != sdp.fingerprints() {
                return Err(MediaError::OtherCertificate);
            }
            let same_words = known.ufrag == sdp.ice_ufrag() || known.pwd == sdp.ice_pwd();
            if same_words || known.setup != sdp.setup() || known.kinds != sdp.kinds() {
                return Err(MediaError::NotANewPath);
            }
            // Each search has candidates of its own.
            self.taken = self.early.len();
        }
        self.certificates = vouched(sdp);
        self.known = Some(Known {
            ufrag: sdp.ice_ufrag().to_owned(),
            pwd: sdp.ice_pwd().to_owned(),
            setup: sdp.setup(),
            kinds: sdp.kinds().to_vec(),
        });
        Ok(())
    }

    fn count(&mut self) -> Result<(), MediaError> {
        if self.taken == CANDIDATES {
            return Err(MediaError::TooManyCandidates { limit: CANDIDATES });
        }
        self.taken += 1;
        Ok(())
    }

    /// A candidate that names another ICE session than the signed description is refused.
    fn belongs(&self, candidate: &Candidate) -> Result<(), MediaError> {
        let signed = self.known.as_ref().map(|known| &known.ufrag);
        match (&candidate.username_fragment, signed) {
            (Some(theirs), Some(signed)) if theirs != signed => {
                Err(MediaError::Candidate(CandidateError::Malformed("usernameFragment")))
            }
            _ => Ok(()),
        }
    }
}

/// A description of ours without candidates: each of those goes through the door that judges it, or
/// what a person hides behind a relay would stand here.
pub(crate) fn bare(description: &str) -> String {
    let kept = description
        .lines()
        .filter(|line| !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates"));
    kept.flat_map(|line| [line, "\r\n"]).collect()
}

/// The fingerprints a description vouches for.
pub(crate) fn vouched(sdp: &Sdp) -> Vec<Fingerprint> {
    sdp.fingerprints().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANDIDATE: &str = "candidate:1 1 udp 2130706431 10.1.2.3 50000 typ host";

    /// The same of another search for a path.
    fn again(setup: &str, number: u32) -> String {
        let words = description(setup).replace("ice-ufrag:abcd", &format!("ice-ufrag:abcd{number}"));
        words.replace("ice-pwd:0123456789", &format!("ice-pwd:012345678{number}"))
    }

    fn description(setup: &str) -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
             a=setup:{setup}\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\n\
             a=rtpmap:111 opus/48000/2\r\na=fingerprint:sha-256 {}\r\n",
            vec!["AB"; 32].join(":")
        )
    }

    #[test]
    fn an_early_candidate_waits_for_the_description() {
        let mut negotiation = Negotiation::default();
        negotiation.offer().unwrap();
        assert_eq!(negotiation.candidate(CANDIDATE).unwrap(), None);
        let sdp = negotiation.read_answer(&description("active")).unwrap();
        assert_eq!(negotiation.waiting(&sdp).len(), 1);
        assert!(negotiation.candidate(CANDIDATE).unwrap().is_some());
    }

    #[test]
    fn descriptions_come_in_one_order_only() {
        let mut negotiation = Negotiation::default();
        assert!(matches!(negotiation.read_answer(&description("active")), Err(MediaError::OutOfOrder(_))));
        negotiation.read_offer(&description("actpass")).unwrap();
        assert!(matches!(negotiation.offer(), Err(MediaError::OutOfOrder(_))));
        assert!(matches!(negotiation.offer_again(), Err(MediaError::OutOfOrder(_))), "who answered does not offer");
        let mut negotiation = Negotiation::default();
        negotiation.offer().unwrap();
        assert!(matches!(negotiation.read_answer(&description("actpass")), Err(MediaError::OutOfOrder(_))));
        assert!(negotiation.read_answer(&description("passive")).is_ok());
        assert!(negotiation.read_answer(&description("passive")).is_err(), "an answer is given once");
    }

    #[test]
    fn what_was_prepared_waits_for_whoever_accepts() {
        let mut negotiation = Negotiation::default();
        let offer = description("actpass");
        assert!(negotiation.take_prepared(&offer).unwrap().is_none(), "nothing was prepared");
        negotiation.read_offer(&offer).unwrap();
        negotiation.prepared(&offer, "answer".to_owned());
        assert_eq!(negotiation.candidate(CANDIDATE).unwrap(), None, "the peer is not looked for yet");
        assert!(matches!(negotiation.read_offer(&offer), Err(MediaError::OutOfOrder(_))));
        assert!(matches!(negotiation.offer(), Err(MediaError::OutOfOrder(_))));
        let (sdp, answer) = negotiation.take_prepared(&offer).unwrap().unwrap();
        assert_eq!((negotiation.waiting(&sdp).len(), answer.as_str()), (1, "answer"));
        assert!(negotiation.candidate(CANDIDATE).unwrap().is_some());
    }

    #[test]
    fn an_answer_is_not_given_to_another_offer_than_it_was_made_for() {
        let mut negotiation = Negotiation::default();
        negotiation.read_offer(&description("actpass")).unwrap();
        negotiation.prepared(&description("actpass"), "answer".to_owned());
        let other = again("actpass", 1);
        assert!(matches!(negotiation.take_prepared(&other), Err(MediaError::OutOfOrder(_))));
    }

    #[test]
    fn another_path_is_looked_for_with_the_same_certificate_only() {
        let mut caller = Negotiation::default();
        caller.offer().unwrap();
        assert!(matches!(caller.offer_again(), Err(MediaError::OutOfOrder(_))), "nobody answered yet");
        caller.read_answer(&description("active")).unwrap();
        caller.offer_again().unwrap();
        caller.offer_again().unwrap();
        assert!(matches!(caller.read_offer(&description("actpass")), Err(MediaError::OutOfOrder(_))));
        let other = again("active", 1).replace("AB:AB", "CD:CD");
        assert_eq!(caller.read_answer(&other).unwrap_err(), MediaError::OtherCertificate);
        caller.read_answer(&again("active", 1)).unwrap();

        let mut callee = Negotiation::default();
        callee.read_offer(&description("actpass")).unwrap();
        callee.read_offer(&again("actpass", 1)).unwrap();
        let other = again("actpass", 2).replace("AB:AB", "CD:CD");
        assert_eq!(callee.read_offer(&other).unwrap_err(), MediaError::OtherCertificate);
    }

    #[test]
    fn what_changes_more_than_the_path_is_refused() {
        let mut callee = Negotiation::default();
        callee.read_offer(&description("actpass")).unwrap();
        let replayed = description("actpass");
        let old_password = again("actpass", 1).replace("ice-pwd:0123456781", "ice-pwd:0123456789");
        let old_name = again("actpass", 1).replace("ice-ufrag:abcd1", "ice-ufrag:abcd");
        let other_role = again("active", 1);
        for wrong in [replayed, old_password, old_name, other_role] {
            assert_eq!(callee.read_offer(&wrong).unwrap_err(), MediaError::NotANewPath, "{wrong}");
        }
        callee.read_offer(&again("actpass", 1)).unwrap();
    }

    #[test]
    fn each_search_for_a_path_takes_its_own_candidates_and_no_more() {
        let mut callee = Negotiation::default();
        for search in [1, 2] {
            callee.read_offer(&again("actpass", search)).unwrap();
            (0..CANDIDATES).for_each(|_| drop(callee.candidate(CANDIDATE).unwrap()));
            assert!(matches!(callee.candidate(CANDIDATE), Err(MediaError::TooManyCandidates { .. })));
        }
    }

    #[test]
    fn a_candidate_of_another_session_is_refused() {
        let mut negotiation = Negotiation::default();
        let foreign = format!(r#"{{"candidate":"{CANDIDATE}","usernameFragment":"wxyz"}}"#);
        negotiation.candidate(&foreign).unwrap();
        let sdp = negotiation.read_offer(&description("actpass")).unwrap();
        assert!(negotiation.waiting(&sdp).is_empty());
        assert!(matches!(negotiation.candidate(&foreign), Err(MediaError::Candidate(_))));
        assert!(negotiation.candidate(&foreign.replace("wxyz", "abcd")).unwrap().is_some());
    }

    #[test]
    fn our_descriptions_show_no_address() {
        let text =
            format!("{}a=candidate:1 1 udp 7 10.1.2.3 4 typ host\r\na=end-of-candidates\r\n", description("active"));
        assert_eq!(bare(&text), description("active"));
    }

    #[test]
    fn a_flood_of_candidates_ends() {
        let mut negotiation = Negotiation::default();
        for _ in 0..CANDIDATES {
            negotiation.candidate(CANDIDATE).unwrap();
        }
        assert_eq!(negotiation.candidate(CANDIDATE), Err(MediaError::TooManyCandidates { limit: CANDIDATES }));
    }
}
