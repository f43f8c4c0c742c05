//! The description of the service, `openapi.json`: `BLESS=1` writes it anew.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use layerwise_service::openapi::document;
    use serde_json::Value;

    #[test]
    fn the_file_is_what_the_types_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, document()).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text == document(), "run this test with BLESS=1");
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let mut open = vec![&document];
        let mut used = BTreeSet::new();
        while let Some(value) = open.pop() {
            match value {
                Value::Array(values) => open.extend(values),
                Value::Object(members) => {
                    if let Some(Value::String(text)) = members.get("$ref") {
                        let pointer = text.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{text}");
                        used.insert(text.rsplit('/').next().unwrap());
                    }
                    open.extend(members.values());
                }
                _ => {}
            }
        }
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let all: BTreeSet<&str> = schemas.keys().map(String::as_str).collect();
        assert_eq!(used, all);
    }
}
