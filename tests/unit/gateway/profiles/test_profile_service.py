"""ProfileService over gRPC: a real client, a real server on port 0, a real storage in memory or in a folder."""

import grpc.aio
import pytest
from obstore.store import LocalStore, MemoryStore

from scic.errors import ScicError
from scic.gateway.v1 import profile_service_pb2 as pb
from scic.type.v1 import prompt_pb2
from tests.unit.gateway.profiles.kit import BASE
from tests.unit.gateway.profiles.serving import served

VERSION = "0123456789abcdef"


@pytest.fixture(params=["memory", "folder"])
async def mesh(request, tmp_path):
    async with served(MemoryStore() if request.param == "memory" else LocalStore(tmp_path)) as world:
        yield world


@pytest.fixture
def operator(mesh):
    return mesh.callers["acme-operator"]


async def refusal(call):
    with pytest.raises(ScicError) as caught:
        await call
    return caught.value


def recipe(text="Answer.", **fields):
    return pb.Profile(instructions=text, **fields)


async def test_a_recipe_is_published_split_and_rolled_back(mesh, operator):
    profiles = mesh.profiles
    first = await operator.publish_profile("support", recipe("first"))
    second = await operator.publish_profile("support", recipe("second", max_tokens=900))
    assert (first.created, second.created) == (True, True)
    assert (await profiles.resolve("acme", "support", "u")).profile.version == first.version.version
    await operator.set_label("support", "live", {first.version.version: 0, second.version.version: 100})
    resolved = await profiles.resolve("acme", "support", "u")
    assert (resolved.profile.instructions, resolved.profile.max_tokens) == ("second", 900)
    before = await operator.get_profile("support@live~1")
    (label,) = before.labels
    assert (before.version.version, label.generation) == (first.version.version, 1)
    back = await operator.set_label("support", "live", label.variants, expected_generation=2)
    assert back.label.generation == 3
    assert (await profiles.resolve("acme", "support", "u")).profile.instructions == "first"


async def test_a_version_comes_back_as_it_was_published(operator):
    said = recipe(
        tools=[prompt_pb2.Tool(name="t", parameters_json='{"type":"object","properties":{}}')],
        sources=[pb.ProfileSource(name="docs", priority=0.3, required=False)],
        conversation_share=0.0,
    )
    published = (await operator.publish_profile("support", said)).version
    found = await operator.get_profile(f"support@{published.version}")
    assert found.version == published
    assert found.version.profile == said
    assert (found.version.key_id, list(found.version.labels)) == ("acme-operator", ["live"])
    assert [label.label for label in found.labels] == ["live"]


async def test_a_dry_run_names_the_version_and_stores_nothing(operator):
    planned = await operator.publish_profile("support", recipe(), dry_run=True)
    assert (await refusal(operator.get_profile("support"))).reason == "PROFILE_NOT_FOUND"
    assert (await operator.publish_profile("support", recipe())).version.version == planned.version.version


async def test_names_and_versions_are_listed_page_by_page_newest_first(operator):
    for name in ("mail", "sales", "support"):
        for number in range(5):
            await operator.publish_profile(name, recipe(f"{name} {number}"))
    newest = [version async for version in operator.list_profiles(page_size=2)]
    assert [version.name for version in newest] == ["mail", "sales", "support"]
    assert not any(version.HasField("profile") for version in newest)
    versions = [version async for version in operator.list_profiles("sales", page_size=2)]
    assert versions[0].version == newest[1].version
    texts = [(await operator.get_profile(f"sales@{v.version}")).version.profile.instructions for v in versions]
    assert texts == [f"sales {number}" for number in range(4, -1, -1)]
    assert [list(version.labels) for version in versions] == [[], [], [], [], ["live"]]
    assert [version async for version in operator.list_profiles("nothing")] == []


async def test_a_page_carries_the_labels_of_its_names(operator):
    version = (await operator.publish_profile("support", recipe())).version.version
    await operator.publish_profile("mail", recipe())
    await operator.set_label("support", "next", {version: 100})
    for name, labels in (("", ["live", "live", "next"]), ("support", ["live", "next"])):
        page = await operator._profiles.ListProfiles(pb.ListProfilesRequest(name=name), metadata=operator._metadata)
        assert [label.label for label in page.labels] == labels


@pytest.mark.parametrize("token", ["!", "bm9uc2Vuc2U=", "bWFpbAphYmM="], ids=["no base64", "nonsense", "of another"])
async def test_a_foreign_page_token_is_refused(operator, token):
    request = pb.ListProfilesRequest(name="support", page_token=token)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await operator._profiles.ListProfiles(request, metadata=operator._metadata)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "page_token" in str(caught.value.details())


async def test_two_versions_are_compared(operator):
    before = (await operator.publish_profile("support", recipe("first"))).version
    after = (await operator.publish_profile("support", recipe("second", max_tokens=9))).version
    compared = await operator.diff_profiles("support", f"support@{after.version}")
    assert [(c.field, c.before, c.after) for c in compared.changes] == [
        ("instructions", '"first"', '"second"'),
        ("max_tokens", "", "9"),
    ]
    assert (compared.from_version.version, compared.to_version.version) == (before.version, after.version)
    assert list((await operator.diff_profiles("support", "support@live")).changes) == []


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("mail", "there is no profile 'mail'; there are: default, support"),
        ("support@next", "support has no label 'next'; there are: beta, live"),
        (
            f"support@{VERSION}",
            f"support has no version {VERSION}; it may have been removed, as old ones without a label are",
        ),
        ("support@beta~1", "support@beta was nothing before: it was never moved"),
        ("support@live~19", "support@live~19 is not kept; the oldest that is: ~2"),
        (
            "../zenith",
            (
                "'../zenith' is not NAME, NAME@LABEL, NAME@LABEL~N or NAME@VERSION of a profile; "
                "there are: default, support"
            ),
        ),
        ("default@next", "nothing was published as default, so it has neither labels nor versions"),
    ],
)
async def test_what_is_not_there_is_not_found_and_what_is_there_is_said(operator, reference, sentence):
    first, second = [
        (await operator.publish_profile("support", recipe(text))).version.version for text in ("first", "second")
    ]
    await operator.set_label("support", "beta", {first: 100})
    for version in (second, first):
        await operator.set_label("support", "live", {version: 100})
    error = await refusal(operator.get_profile(reference))
    assert (error.reason, error.message) == ("PROFILE_NOT_FOUND", sentence)
    error = await refusal(operator.diff_profiles("support", reference))
    assert (error.reason, [violation.field for violation in error.field_violations]) == (
        "PROFILE_NOT_FOUND",
        ["to_profile"],
    )


async def test_the_built_in_profile_can_be_looked_at_until_one_of_its_name_is_published(operator):
    found = await operator.get_profile("default")
    assert (found.version.name, found.version.version, list(found.labels)) == ("default", "", [])
    assert found.version.profile.instructions == BASE.instructions
    assert not found.version.HasField("create_time")
    await operator.publish_profile("support", recipe())
    changes = (await operator.diff_profiles("default", "support")).changes
    assert changes[0].field == "instructions"
    published = await operator.publish_profile("default", found.version.profile)
    assert (await operator.get_profile("default")).version.version == published.version.version


async def test_a_tenant_sees_its_own_alone(mesh):
    callers = mesh.callers
    version = (await callers["acme-operator"].publish_profile("support", recipe())).version.version
    other = callers["zenith-operator"]
    for reference in ("support", f"support@{version}"):
        assert (await refusal(other.get_profile(reference))).reason == "PROFILE_NOT_FOUND"
    assert [each async for each in other.list_profiles()] == []
    assert (await refusal(other.set_label("support", "live", {version: 100}))).reason == "INVALID_FIELD"


async def test_readers_look_and_operators_change(mesh):
    callers = mesh.callers
    version = (await callers["acme-operator"].publish_profile("support", recipe())).version.version
    reader = callers["acme-reader"]
    await reader.get_profile("support")
    for caller in (reader, callers["acme-admin"]):
        for call in (caller.publish_profile("x", recipe()), caller.set_label("support", "live", {version: 100})):
            error = await refusal(call)
            assert (error.reason, error.metadata["role"]) == ("ROLE_REQUIRED", "operator")


@pytest.mark.parametrize(
    ("name", "profile", "field"),
    [
        pytest.param("Support", recipe(), "name", id="name"),
        pytest.param("support", recipe(max_tokens=-1), "profile.max_tokens", id="rule of the proto"),
        pytest.param("support", recipe(pin_patterns=["("]), "profile.pin_patterns[0]", id="rule beyond it"),
    ],
)
async def test_a_recipe_with_a_mistake_is_refused_by_field(operator, name, profile, field):
    error = await refusal(operator.publish_profile(name, profile))
    assert (error.reason, [violation.field for violation in error.field_violations]) == ("INVALID_FIELD", [field])


async def test_what_was_published_outlives_the_gateway(tmp_path):
    async with served(LocalStore(tmp_path)) as mesh:
        await mesh.callers["acme-operator"].publish_profile("support", recipe("first"))
    async with served(LocalStore(tmp_path)) as mesh:
        assert (await mesh.profiles.resolve("acme", "support", "u")).profile.instructions == "first"


async def test_without_a_storage_every_method_says_so():
    async with served(None) as mesh:
        caller = mesh.callers["acme-operator"]
        calls = (
            caller.publish_profile("support", recipe()),
            caller.get_profile("support"),
            caller.get_profile("default@next"),
            caller.get_profile("X"),
            anext(caller.list_profiles()),
            caller.diff_profiles("support", "support"),
            caller.set_label("support", "live", {VERSION: 100}),
        )
        for call in calls:
            assert (await refusal(call)).reason == "STORAGE_NOT_CONFIGURED"
        assert (await caller.get_profile("default")).version.profile.instructions == BASE.instructions
        assert (await mesh.profiles.resolve("acme", "", "u")).profile is BASE
