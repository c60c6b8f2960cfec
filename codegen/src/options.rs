//! The values of option messages.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

/// An option message, or nothing.
#[derive(Clone)]
pub(crate) struct Options(pub(crate) DynamicMessage);

impl Options {
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let field = ReflectMessage::descriptor(&self.0).get_field_by_name(name)?;
        self.0.has_field(&field).then(|| self.0.get_field(&field).into_owned())
    }

    pub(crate) fn string(&self, name: &str) -> Option<String> {
        self.get(name).and_then(|value| value.as_str().map(str::to_owned)).filter(|text| !text.is_empty())
    }

    pub(crate) fn strings(&self, name: &str) -> Vec<String> {
        let list = self.get(name);
        let items = list.as_ref().and_then(Value::as_list).unwrap_or_default();
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(|value| value.as_bool()).unwrap_or_default()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::U64(number) => Some(number),
            Value::U32(number) => Some(u64::from(number)),
            Value::EnumNumber(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    pub(crate) fn message(&self, name: &str) -> Option<Options> {
        self.get(name).and_then(|value| value.as_message().cloned()).map(Options)
    }

    pub(crate) fn messages(&self, name: &str) -> Vec<Options> {
        let list = self.get(name);
        let items = list.as_ref().and_then(Value::as_list).unwrap_or_default();
        items.iter().filter_map(|item| item.as_message().cloned().map(Options)).collect()
    }

    pub(crate) fn dynamic(&self) -> &DynamicMessage {
        &self.0
    }
}
