"""Addresses and access to an object store, without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway_artifacts.access import Access, read_access
from slipway_artifacts.address import Address, is_object_store, parse_address
from slipway_artifacts.errors import AddressInvalid, Denied
from slipway_artifacts.objects import Objects

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix"),
    [
        ("s3://models", "models", ""),
        ("s3://models/", "models", ""),
        ("s3://my.models-1/a/b_c/v1.0-x/", "my.models-1", "a/b_c/v1.0-x"),
    ],
)
def test_addresses(uri, bucket, prefix):
    address = parse_address(uri)
    assert (address.bucket, address.prefix) == (bucket, prefix)
    assert address.uri() == uri.rstrip("/")
    assert parse_address(address.uri("x.json")).prefix == address.key("x.json")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://",
        "s3:///key",
        "s3://Bucket/a",
        "s3://bu",
        "s3://bucket//a",
        "s3://bucket/../a",
        "s3://bucket/./a",
        "s3://bucket/a b",
        "s3://user:pass@bucket/a",
        "s3://bucket/a?x=y",
        "gs://bucket/a",
        "/bucket/a",
    ],
)
def test_what_is_no_address(uri):
    with pytest.raises(AddressInvalid, match="s3://BUCKET/PREFIX; correct the uri"):
        parse_address(uri)


def test_only_s3_is_an_object_store():
    assert is_object_store("s3://bucket/a")
    assert not any(map(is_object_store, ["file:///a", "hf://o/n", "/s3://", "S3://bucket"]))


def test_the_environment_of_every_s3_client():
    given = KEYS | {"AWS_ENDPOINT_URL": "http://minio:9000", "AWS_CA_BUNDLE": "/ca.crt"}
    found = read_access(given)
    assert (found.endpoint, found.region, found.ca_bundle) == (
        "http://minio:9000",
        "us-east-1",
        Path("/ca.crt"),
    )
    assert found.identified
    assert read_access(KEYS | {"AWS_REGION": "eu-west-1"}).where == "AWS S3 in eu-west-1"
    assert not read_access({}).identified
    assert read_access({"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}).identified


def test_without_an_identity_nothing_is_opened():
    with pytest.raises(Denied, match=r"artifacts\.s3\.existingSecret"):
        Objects(Address(bucket="models"), Access(identified=False))


def test_a_ca_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Denied, match=r"artifacts\.s3\.caSecret"):
        Objects(Address(bucket="models"), Access(ca_bundle=tmp_path / "no.crt"))
