//! Countries by code or by the names that lists use.

/// Names that differ from those of ISO 3166.
const OTHERS: &[(&str, &str)] = &[
    ("iran", "IR"),
    ("russia", "RU"),
    ("syria", "SY"),
    ("north korea", "KP"),
    ("south korea", "KR"),
    ("dprk", "KP"),
    ("democratic people's republic of korea", "KP"),
    ("korea, north", "KP"),
    ("korea, south", "KR"),
    ("venezuela", "VE"),
    ("bolivia", "BO"),
    ("tanzania", "TZ"),
    ("moldova", "MD"),
    ("vietnam", "VN"),
    ("laos", "LA"),
    ("burma", "MM"),
    ("united kingdom", "GB"),
    ("uk", "GB"),
    ("united states", "US"),
    ("usa", "US"),
    ("palestinian", "PS"),
    ("palestine", "PS"),
    ("taiwan", "TW"),
    ("turkey", "TR"),
    ("turkiye", "TR"),
    ("ivory coast", "CI"),
    ("cote d'ivoire", "CI"),
    ("czech republic", "CZ"),
    ("congo, democratic republic of the", "CD"),
    ("democratic republic of the congo", "CD"),
    ("macedonia", "MK"),
    ("kosovo", "XK"),
    ("hong kong", "HK"),
    ("brunei", "BN"),
    ("iranian", "IR"),
    ("russian", "RU"),
    ("syrian", "SY"),
    ("the gambia", "GM"),
    ("netherlands", "NL"),
    ("swaziland", "SZ"),
];

/// The alpha-2 code of a country, or the text if it is not known.
#[must_use]
pub fn country(text: &str) -> String {
    let text = text.trim();
    let upper = text.to_ascii_uppercase();
    let known = match upper.len() {
        2 => rust_iso3166::from_alpha2(&upper),
        3 => rust_iso3166::from_alpha3(&upper),
        _ => None,
    };
    let lower = text.to_ascii_lowercase();
    let by_name = || {
        rust_iso3166::ALL.iter().find(|country| country.name.eq_ignore_ascii_case(text)).map(|country| country.alpha2)
    };
    let by_other = || OTHERS.iter().find(|(name, _)| *name == lower).map(|(_, code)| *code);
    known
        .map(|country| country.alpha2)
        .or_else(by_other)
        .or_else(by_name)
        .map_or_else(|| text.to_owned(), str::to_owned)
}
