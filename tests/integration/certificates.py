"""Certificates for tests, made by the openssl program when they run: authorities, what they issue
(of any lifetime), what they revoke. No key is ever kept. Python 3.13 is strict about extensions."""

import os
import subprocess
import tempfile
import time

CONFIGURATION = """
[ca]
default_ca = here
[here]
database = {folder}/index
serial = {folder}/serial
crlnumber = {folder}/crlnumber
new_certs_dir = {folder}
certificate = {folder}/authority.pem
private_key = {folder}/authority.key
default_md = sha256
policy = any
unique_subject = no
default_crl_days = 1
[any]
commonName = optional
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{extensions}
"""
DAY = 86400


def openssl(*arguments, text=None):
    """Runs it and returns what it printed."""
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError("openssl %s: %s" % (arguments[0], done.stderr.decode()))
    return done.stdout


def _date(seconds):
    """A time that many seconds from now, as openssl ca takes it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


class Pair:
    """The files of a certificate and its key."""

    def __init__(self, certificate, key):
        self.certificate = certificate
        self.key = key


class Authority:
    """A root of its own, in a folder that lives as long as it does."""

    def __init__(self, name="test authority"):
        self._kept = tempfile.TemporaryDirectory(prefix="gradientd-ca-")
        self.folder = self._kept.name
        self.count = 0
        for file, content in (("index", ""), ("serial", "1000"), ("crlnumber", "1000")):
            self.write(file, content)
        self.certificate = self.path("authority.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path("authority.key"), "-out", self.certificate, "-days", "2",
                "-subj", "/CN=" + name, "-addext", "keyUsage = critical, keyCertSign, cRLSign")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(content)
        return self.path(name)

    def close(self):
        self._kept.cleanup()

    def issue(self, name, alternative=None, begins=-3600, ends=90 * DAY, purpose=None):
        """A certificate with that common name (none where it is ""), a subjectAltName such as
        "DNS:a.example", valid from and until so many seconds from now."""
        self.count += 1
        key, request = self.path("%d.key" % self.count), self.path("%d.csr" % self.count)
        certificate = self.path("%d.pem" % self.count)
        extensions = "".join("%s = %s\n" % pair for pair in
                             (("subjectAltName", alternative), ("extendedKeyUsage", purpose))
                             if pair[1])
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", request, "-subj", "/CN=" + name if name else "/")
        os.chmod(key, 0o600)
        self.write("configuration", CONFIGURATION.format(folder=self.folder,
                                                         extensions=extensions))
        openssl("ca", "-batch", "-notext", "-config", self.path("configuration"), "-extensions",
                "leaf", "-in", request, "-out", certificate, "-startdate", _date(begins),
                "-enddate", _date(ends))
        return Pair(certificate, key)

    def revoked(self, *pairs):
        """The file of a list that revokes these and those before."""
        for pair in pairs:
            openssl("ca", "-config", self.path("configuration"), "-revoke", pair.certificate)
        path = self.path("crl.pem")
        openssl("ca", "-config", self.path("configuration"), "-gencrl", "-out", path)
        return path
