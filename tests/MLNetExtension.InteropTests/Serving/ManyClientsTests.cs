using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace MLNetExtension.InteropTests.Serving;

/// <summary>Clients that come at the same time, go away, ask for too much or for something else.</summary>
[TestClass]
public sealed class ManyClientsTests
{
    // Prompts, lengths, seeds and temperatures differ, so that rows join and leave all the time.
    [TestMethod]
    public async Task Thirty_two_streams_at_once_each_give_what_they_give_alone()
    {
        await using TestServer server = await TestServer.StartAsync();
        string[] alone = new string[32];
        for (int i = 0; i < alone.Length; i++)
            alone[i] = await ReadAsync(server, Request(i));

        string[] together = await Task.WhenAll(Enumerable.Range(0, 32).Select(i => Task.Run(() => ReadAsync(server, Request(i)))));

        CollectionAssert.AreEqual(alone, together);
        Assert.IsGreaterThan(28, alone.Distinct().Count());
        await server.WaitUntilIdleAsync();
        Assert.AreEqual(64L, server.Model.Done.Requests);
    }

    [TestMethod]
    public async Task Streams_that_are_aborted_are_freed_and_the_others_go_on()
    {
        await using TestServer server = await TestServer.StartAsync(settings => settings with { MaximumTexts = 16 }, contextLength: 8192);
        string alone = await ReadAsync(server, Request(3));
        // More, all in all, than there are places.
        for (int round = 0; round < 3; round++)
        {
            Task<string>[] kept = [.. Enumerable.Range(0, 4).Select(_ => ReadAsync(server, Request(3)))];
            await Task.WhenAll(Enumerable.Range(0, 12).Select(i => AbortAsync(server, i)));
            foreach (string text in await Task.WhenAll(kept))
                Assert.AreEqual(alone, text);
            await server.WaitUntilIdleAsync();
        }
    }

    // Some thousand tokens are still to be computed when the first is there.
    [TestMethod]
    public async Task The_first_token_comes_long_before_the_last_is_computed()
    {
        await using TestServer server = await TestServer.StartAsync(contextLength: 8192);
        await foreach (JsonNode part in server.StreamAsync("/v1/completions", Endless))
        {
            Assert.HasCount(1, part["choices"]![0]!["logprobs"]!["tokens"]!.AsArray());
            Assert.AreEqual(1, server.Batch.Count, "it is still being generated");
            break;
        }
        await server.WaitUntilIdleAsync();
    }

    [TestMethod]
    public async Task A_server_that_has_enough_to_do_says_so()
    {
        await using TestServer server = await TestServer.StartAsync(settings => settings with { MaximumTexts = 2 }, contextLength: 8192);
        await using IAsyncEnumerator<JsonNode> first = server.StreamAsync("/v1/completions", Endless).GetAsyncEnumerator(), second = server.StreamAsync("/v1/completions", Endless).GetAsyncEnumerator();
        Assert.IsTrue(await first.MoveNextAsync() && await second.MoveNextAsync());
        (int status, JsonNode body) = await server.PostAsync("/v1/completions", new { prompt = "x" });
        Assert.AreEqual((429, "rate_limit_exceeded"), (status, (string?)body["error"]!["code"]));
        await first.DisposeAsync();
        for (int i = 0; i < 500 && server.Model.FreePlaces == 0; i++)
            await Task.Delay(20);
        Assert.AreEqual(200, (await server.PostAsync("/v1/completions", new { prompt = "x" })).Status);
    }

    [TestMethod]
    public async Task A_server_that_ends_ends_its_streams()
    {
        TestServer server = await TestServer.StartAsync(contextLength: 8192);
        await using IAsyncEnumerator<JsonNode> stream = server.StreamAsync("/v1/completions", Endless).GetAsyncEnumerator();
        Assert.IsTrue(await stream.MoveNextAsync());
        Task ending = server.Server.DisposeAsync().AsTask();
        await Assert.ThrowsAsync<Exception>(async () =>
        {
            while (await stream.MoveNextAsync())
            {
            }
        });
        await ending.WaitAsync(TimeSpan.FromSeconds(10));
        await server.WaitUntilIdleAsync();
        await server.DisposeAsync();
    }

    [TestMethod]
    [DataRow("/v1/completions", """{"prompt":"x","temprature":1}""", 400, "'temprature' is not known")]
    [DataRow("/v1/completions", """{"prompt":"x","temperature":-1}""", 400, "'temperature' is -1, expected from 0 to 100")]
    [DataRow("/v1/completions", """{"prompt":"x","temperature":"hot"}""", 400, "'temperature' is \"hot\", expected a number")]
    [DataRow("/v1/completions", """{"prompt":"x","n":2}""", 400, "'n' is 2, which is not supported")]
    [DataRow("/v1/completions", """{"prompt":"x","logprobs":21}""", 400, "'logprobs' is 21, expected at most 20")]
    [DataRow("/v1/completions", """{"prompt":[1,259]}""", 400, "'prompt' is 259, expected token ids from 0 to 258")]
    [DataRow("/v1/completions", """{"prompt":[[]]}""", 400, "The prompt has 0 tokens")]
    [DataRow("/v1/completions", """{"prompt":[]}""", 400, "'prompt' is missing or empty")]
    [DataRow("/v1/completions", """{"prompt":7}""", 400, "'prompt' is 7")]
    [DataRow("/v1/completions", """{"prompt":"x","stop":""}""", 400, "StopStrings[0] is ''")]
    [DataRow("/v1/completions", """{"prompt":"x","seed":1.5}""", 400, "'seed' is 1.5")]
    [DataRow("/v1/completions", """{"prompt":"x"}{""", 400, "The request is not valid JSON")]
    [DataRow("/v1/completions", """[1]""", 400, "The request is not a JSON object")]
    [DataRow("/v1/completions", """{"prompt":"\ud800"}""", 400, "The request is not valid JSON")]
    [DataRow("/v1/completions", "", 400, "The request is not valid JSON")]
    [DataRow("/v1/chat/completions", """{"messages":[]}""", 400, "at least one message")]
    [DataRow("/v1/chat/completions", """{}""", 400, "at least one message")]
    [DataRow("/v1/chat/completions", """{"messages":[{"role":"narrator","content":"x"}]}""", 400, "narrator")]
    [DataRow("/v1/chat/completions", """{"messages":[{"role":"user"}]}""", 400, "'content' is missing")]
    [DataRow("/v1/chat/completions", """{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}""", 400, "'type' is \"image_url\", which is not supported")]
    [DataRow("/v1/chat/completions", """{"messages":[{"role":"user","content":"x"}],"logprobs":true}""", 400, "'logprobs' is true, which is not supported")]
    [DataRow("/v1/embeddings", "{}", 404, "POST /v1/embeddings is not served.")]
    public async Task A_request_that_cannot_be_answered_gets_one_sentence(string path, string json, int status, string message)
    {
        await using TestServer server = await TestServer.StartAsync();
        using StringContent content = new(json, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await server.Client.PostAsync(path, content);
        JsonNode error = (await response.Content.ReadFromJsonAsync<JsonNode>())!["error"]!;
        Assert.AreEqual(status, (int)response.StatusCode);
        Assert.Contains(message, (string)error["message"]!);
        Assert.AreEqual("invalid_request_error", (string?)error["type"]);
        Assert.IsFalse(((string)error["message"]!).Contains('\n'));
    }

    [TestMethod]
    public async Task A_body_that_is_too_long_or_of_another_type_and_a_foreign_host_are_refused()
    {
        await using TestServer server = await TestServer.StartAsync(settings => settings with { MaximumBodyBytes = 1000 });
        Assert.AreEqual(413, (await server.PostAsync("/v1/completions", new { prompt = new string('x', 2000) })).Status);
        using HttpRequestMessage plain = new(HttpMethod.Post, "/v1/completions") { Content = new StringContent("""{"prompt":"x"}""", new MediaTypeHeaderValue("text/plain")) };
        Assert.AreEqual(HttpStatusCode.UnsupportedMediaType, (await server.Client.SendAsync(plain)).StatusCode);
        using HttpRequestMessage foreign = new(HttpMethod.Get, "/v1/models") { Headers = { Host = "example.org" } };
        Assert.AreEqual(HttpStatusCode.Forbidden, (await server.Client.SendAsync(foreign)).StatusCode);
        Assert.AreEqual(HttpStatusCode.OK, (await server.Client.GetAsync("/v1/models")).StatusCode);
    }

    private static object Endless => new { prompt = "abc", max_tokens = 4000, temperature = 1, seed = 1, stream = true, logprobs = 0 };

    private static object Request(int i) => new { prompt = new string('p', i) + i, max_tokens = 5 + 7 * i % 40, temperature = i % 4 * 0.5, seed = i, stream = true };

    private static async Task<string> ReadAsync(TestServer server, object request)
    {
        StringBuilder text = new();
        await foreach (JsonNode part in server.StreamAsync("/v1/completions", request))
        {
            Assert.IsNull(part["error"], part.ToJsonString());
            text.Append((string?)part["choices"]![0]!["text"]);
        }
        return text.ToString();
    }

    private static async Task AbortAsync(TestServer server, int after)
    {
        await foreach (JsonNode _ in server.StreamAsync("/v1/completions", Endless))
        {
            if (after-- == 0)
                return;
        }
    }
}
