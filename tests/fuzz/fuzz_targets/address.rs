//! Addresses of all kinds: one spelling, one meaning.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::{ADDRESS_LIMIT, Address, AddressPattern, Domain, Origin, UserAddress};

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    if let Ok(address) = Address::parse(text) {
        assert!(address.as_str().len() <= ADDRESS_LIMIT);
        assert!(address.is_within(&address) && address.is_within(&address.base()));
        assert_eq!(address.base().base(), address.base());
        assert_eq!(Domain::parse(address.domain_str()), Ok(address.domain()));
        fuzz::same_as_json(&address);
    }
    if let Ok(user) = UserAddress::parse(text) {
        assert_eq!(UserAddress::parse(&user.handle()), Ok(user.clone()), "one person, one address");
        fuzz::same_as_json(&user);
    }
    if let Ok(pattern) = AddressPattern::parse(text) {
        fuzz::same_as_json(&pattern);
    }
    if let Ok(origin) = Origin::parse(text) {
        fuzz::same_as_json(&origin);
    }
});
