"""Keys of the section `kafka.schema_registry`."""

from __future__ import annotations

from typing import Final

from consumer.config.keys import Section, defaulted, optional
from consumer.config.kinds import Choice, Text
from consumer.config.secrets import SecretFile, SecretReference
from consumer.decoding.wire_formats import RegistryType

ADDRESS: Final = "an address such as https://registry.example.com"

REGISTRY_TYPE = defaulted(
    "type",
    Choice[RegistryType]("confluent", "glue"),
    "confluent",
    "Type of the registry: `confluent` for its API, which Apicurio, Karapace and Redpanda have too,"
    " or `glue` for the AWS Glue Schema Registry.",
)
REGISTRY_REGION = optional(
    "region",
    Text("an AWS region such as eu-west-1", r"[a-z]{2}(-[a-z]+)+-\d{1,2}"),
    "AWS region of the registry; required for type glue, and only allowed there.",
)
REGISTRY_URL = optional(
    "url",
    Text(ADDRESS),
    "Base URL of the schema registry; required for type confluent, and only allowed there.",
)
REGISTRY_USERNAME = optional("username", Text(), "User name for HTTP basic authentication.")
REGISTRY_PASSWORD_FILE = optional(
    "password_file", SecretFile(), "File that contains the password of this user."
)
REGISTRY_PASSWORD = optional(
    "password", SecretReference(), "The password itself, as a reference to the environment."
)
REGISTRY_TOKEN_FILE = optional(
    "token_file",
    SecretFile(),
    "File that contains a bearer token; instead of a user name and password.",
)
REGISTRY_TOKEN = optional(
    "token", SecretReference(), "The bearer token itself, as a reference to the environment."
)
REGISTRY_CERTIFICATE_FILE = optional(
    "certificate_file", SecretFile(), "PEM client certificate, for mutual TLS."
)
REGISTRY_KEY_FILE = optional(
    "key_file",
    SecretFile(),
    "PEM private key of the client certificate, without a passphrase.",
)
REGISTRY_CA_FILE = optional(
    "ca_file",
    SecretFile(),
    "PEM CA certificates that the registry's certificate is checked against; the system's"
    " when absent.",
)
REGISTRY = Section(
    "a mapping",
    REGISTRY_TYPE,
    REGISTRY_REGION,
    REGISTRY_URL,
    REGISTRY_USERNAME,
    REGISTRY_PASSWORD_FILE,
    REGISTRY_PASSWORD,
    REGISTRY_TOKEN_FILE,
    REGISTRY_TOKEN,
    REGISTRY_CERTIFICATE_FILE,
    REGISTRY_KEY_FILE,
    REGISTRY_CA_FILE,
)
