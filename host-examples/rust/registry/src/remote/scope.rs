//! What a request is about, and what it has to be allowed for that.

/// A repository of a registry.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    pub host: &'a str,
    pub path: &'a str,
}

/// What is to be allowed.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The repository; empty for the registry itself.
    pub path: &'a str,
    actions: &'static str,
    /// Another repository of the registry that a blob is taken from.
    from: Option<&'a str>,
}

impl<'a> Scope<'a> {
    pub const fn pull(at: Repository<'a>) -> Self {
        Self::of(at, "pull")
    }

    pub const fn push(at: Repository<'a>) -> Self {
        Self::of(at, "pull,push")
    }

    pub const fn delete(at: Repository<'a>) -> Self {
        Self::of(at, "delete")
    }

    /// And reading from another repository.
    pub const fn and_from(mut self, from: Option<&'a str>) -> Self {
        self.from = from;
        self
    }

    /// Listing the repositories of a registry.
    pub const fn catalog() -> Self {
        Self {
            path: "",
            actions: "*",
            from: None,
        }
    }

    const fn of(at: Repository<'a>, actions: &'static str) -> Self {
        Self {
            path: at.path,
            actions,
            from: None,
        }
    }

    /// The scopes as a service for tokens takes them.
    pub fn wanted(&self) -> Vec<String> {
        // No repository has an empty name.
        if self.path.is_empty() {
            return vec![format!("registry:catalog:{}", self.actions)];
        }
        let mut wanted = vec![format!("repository:{}:{}", self.path, self.actions)];
        wanted.extend(self.from.map(|from| format!("repository:{from}:pull")));
        wanted
    }
}
