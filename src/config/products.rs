//! `[[products]]`: the catalogue behind `eligible_products` (decisions, section 4). In the file alone.

use uuid::Uuid;

use super::problem::{Problem, nearest};
use super::reader::Reader;

/// One product that users can be eligible for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id, as shown to callers.
    pub id: Uuid,
    /// Its code, which names its requirements.
    pub code: String,
    /// Its name, as shown to callers.
    pub name: String,
}

/// The codes that the requirement rules know (decisions, section 4).
pub const PRODUCT_CODES: [&str; 4] = ["usa-virtual-accounts", "virtual_account", "payout", "usa-virtual-accounts-act"];

const KEYS: [&str; 3] = ["id", "code", "name"];

/// The catalogue of the file, or the documented three, in their order.
pub(super) fn read(reader: &mut Reader) -> Vec<Product> {
    let Some(given) = reader.take_products() else { return documented() };
    let Some(tables) = given.as_array() else {
        reader.problems.push(Problem::new("products", "must be a list of tables, [[products]]"));
        return Vec::new();
    };
    let mut products: Vec<Product> = Vec::with_capacity(tables.len());
    for (index, table) in tables.iter().enumerate() {
        let at = |key: &str| format!("products.{index}.{key}");
        let Some(table) = table.as_table() else {
            reader.problems.push(Problem::new(format!("products.{index}"), "must be a table"));
            continue;
        };
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let hint =
                nearest(key, KEYS.into_iter()).map_or_else(String::new, |name| format!("; did you mean {name}?"));
            reader.problems.push(Problem::new(at(key), format!("is not a setting{hint}")));
        }
        let mut text = |key: &str| {
            let text = table.get(key).and_then(toml::Value::as_str).filter(|text| !text.trim().is_empty());
            if text.is_none() {
                reader.problems.push(Problem::new(at(key), "must be given, as a text"));
            }
            text
        };
        let (id, code, name) = (text("id"), text("code"), text("name"));
        let id = id.and_then(|id| {
            let parsed = Uuid::try_parse(id).ok();
            if parsed.is_none() {
                reader.problems.push(Problem::new(at("id"), format!("{id:?} is not a UUID")));
            }
            parsed
        });
        if let Some(code) = code {
            if !PRODUCT_CODES.contains(&code) {
                let problem = format!("{code:?} is not a known product; accepted: {}", PRODUCT_CODES.join(", "));
                reader.problems.push(Problem::new(at("code"), problem));
            } else if products.iter().any(|earlier| earlier.code == code) {
                reader.problems.push(Problem::new(at("code"), format!("{code:?} is listed twice")));
            }
        }
        if let (Some(id), Some(code), Some(name)) = (id, code, name) {
            if products.iter().any(|earlier| earlier.id == id) {
                reader.problems.push(Problem::new(at("id"), format!("{id} is listed twice")));
            }
            products.push(Product { id, code: code.to_owned(), name: name.to_owned() });
        }
    }
    products
}

/// The three of the specification's example response.
fn documented() -> Vec<Product> {
    [
        (0xf466_6460_1cb4_4030_8e78_6d67_939c_1ff1, "usa-virtual-accounts", "USA Virtual Accounts"),
        (0x7be9_1e3b_be09_48a6_8778_b856_d5e0_a97d, "virtual_account", "Virtual Account"),
        (0x4d1a_6f16_2842_408d_973c_0492_e5a5_9686, "payout", "Payout"),
    ]
    .map(|(id, code, name)| Product { id: Uuid::from_u128(id), code: code.to_owned(), name: name.to_owned() })
    .into()
}
