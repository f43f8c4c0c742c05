//! A registry on the loopback interface.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::process::{Place, Service};

/// A registry with nothing in it.
pub struct Registry {
    // Dropped in this order: the registry ends before its files go.
    _service: Service,
    place: Place,
    /// Where it listens, such as `127.0.0.1:5000`.
    pub address: String,
}

impl Registry {
    /// Starts one.
    pub fn start() -> Self {
        let place = Place::new();
        let address = free_address();
        let config = place.path().join("config.yml");
        let storage = place.path().join("storage");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
            storage.display()
        );
        fs::write(&config, text).unwrap();
        let arguments = ["serve".as_ref(), config.as_os_str()];
        let mut service = Service::start("docker-registry", arguments, place.path().join("log"));
        if let Err(why) = service.wait_for(|| answers(&address)) {
            panic!("the registry cannot be used: {why}");
        }
        Self {
            _service: service,
            place,
            address,
        }
    }

    /// Takes a blob away from an image's repository, as a clean-up does.
    #[allow(dead_code, reason = "the tests of BuildKit's caches use it")]
    pub fn lose(&self, image: &str, digest: &str) {
        let name = image.split(':').next().unwrap();
        let (algorithm, hex) = digest.split_once(':').unwrap();
        let storage = self.place.path().join("storage/docker/registry/v2");
        let layers = storage.join("repositories/live").join(name);
        let link = layers.join("_layers").join(algorithm).join(hex);
        fs::remove_file(link.join("link")).unwrap();
        let blobs = storage.join("blobs").join(algorithm);
        fs::remove_dir_all(blobs.join(&hex[..2]).join(hex)).unwrap();
    }

    /// A name for an image in it.
    pub fn name(&self, image: &str) -> String {
        format!("{}/live/{image}", self.address)
    }
}

fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn answers(address: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /v2/ HTTP/1.0\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok::<_, std::io::Error>(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
