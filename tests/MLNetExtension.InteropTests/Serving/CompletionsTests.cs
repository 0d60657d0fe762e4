using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace MLNetExtension.InteropTests.Serving;

/// <summary><c>/v1/completions</c> as lm-evaluation-harness uses it, against logits that are computed directly.</summary>
[TestClass]
public sealed class CompletionsTests
{
    // The request and the reading of the answer are those of the harness's local-completions: ids as prompts, one token more than is scored, sums from where the context ends.
    [TestMethod]
    public async Task The_harness_gets_the_sums_of_log_probabilities_and_whether_they_are_greedy()
    {
        await using TestServer server = await TestServer.StartAsync();
        int[][] prompts = [[256, .. "a context"u8, .. " and more"u8], [.. "only this"u8]];
        int[] contexts = [10, 4];
        (int status, JsonNode body) = await server.PostAsync("/v1/completions", new { model = "small", prompt = prompts, temperature = 0, max_tokens = 1, logprobs = 1, seed = 1234, echo = true });
        Assert.AreEqual(200, status, body.ToJsonString());

        List<bool> greedy = [];
        for (int i = 0; i < prompts.Length; i++)
        {
            JsonNode logprobs = body["choices"]![i]!["logprobs"]!;
            double?[] scores = [.. logprobs["token_logprobs"]!.AsArray().Select(each => (double?)each)];
            Assert.HasCount(prompts[i].Length + 1, scores);
            Assert.IsNull(scores[0]);
            double[,] expected = LogProbabilities(server, prompts[i]);
            double sum = Enumerable.Range(contexts[i], prompts[i].Length - contexts[i]).Sum(t => expected[t - 1, prompts[i][t]]);
            Assert.AreEqual(sum, scores[contexts[i]..^1].Sum()!.Value, 1e-4);
            for (int t = 1; t < prompts[i].Length; t++)
            {
                Assert.AreEqual(expected[t - 1, prompts[i][t]], scores[t]!.Value, 1e-4, $"token {t}");
                double best = logprobs["top_logprobs"]![t]!.AsObject().Max(each => (double)each.Value!);
                Assert.AreEqual(Enumerable.Range(0, SmallChatModel.VocabularySize).Max(id => expected[t - 1, id]), best, 1e-4);
                greedy.Add(scores[t] == best);
            }
        }
        Assert.IsTrue(greedy.Contains(false), "random ids are not what the model would choose");

        // What it chooses itself is greedy, to the bit.
        JsonNode own = (await server.PostAsync("/v1/completions", new { prompt = prompts[0], temperature = 0, max_tokens = 8, logprobs = 1 })).Body["choices"]![0]!["logprobs"]!;
        for (int t = 0; t < 8; t++)
            Assert.AreEqual((double)own["token_logprobs"]![t]!, own["top_logprobs"]![t]!.AsObject().Max(each => (double)each.Value!));
    }

    // Where a text's first token has something before it, that the model reads and the client has not sent, it is scored.
    [TestMethod]
    public async Task A_text_is_echoed_with_its_tokens_and_their_places()
    {
        await using TestServer server = await TestServer.StartAsync();
        JsonNode body = (await server.PostAsync("/v1/completions", new { prompt = "The cat", max_tokens = 0, logprobs = 2, echo = true })).Body;
        JsonNode choice = body["choices"]![0]!, logprobs = choice["logprobs"]!;
        Assert.AreEqual(("The cat", "length"), ((string?)choice["text"], (string?)choice["finish_reason"]));
        CollectionAssert.AreEqual("The cat".Select(c => c.ToString()).ToArray(), logprobs["tokens"]!.AsArray().Select(each => (string)each!).ToArray());
        CollectionAssert.AreEqual(Enumerable.Range(0, 7).ToArray(), logprobs["text_offset"]!.AsArray().Select(each => (int)each!).ToArray());
        double[,] expected = LogProbabilities(server, [256, .. "The cat"u8]);
        for (int t = 0; t < 7; t++)
            Assert.AreEqual(expected[t, "The cat"[t]], (double)logprobs["token_logprobs"]![t]!, 1e-4);
        Assert.AreEqual((8, 0), ((int)body["usage"]!["prompt_tokens"]!, (int)body["usage"]!["completion_tokens"]!));
    }

    [TestMethod]
    public async Task Several_prompts_are_continued_together_whole_and_streamed()
    {
        await using TestServer server = await TestServer.StartAsync();
        string[] prompts = ["one", "two and more", ""];
        object Request(object prompt, bool stream) => new { prompt, max_tokens = 12, temperature = 0.5, seed = 3, logprobs = 1, echo = true, stream, stream_options = stream ? new { include_usage = true } : null };
        JsonNode whole = (await server.PostAsync("/v1/completions", Request(prompts, stream: false))).Body;
        string[] texts = new string[3], reasons = new string[3];
        int[] scored = new int[3];
        int completion = -1;
        await foreach (JsonNode part in server.StreamAsync("/v1/completions", Request(prompts, stream: true)))
        {
            completion = part["usage"] is { } usage ? (int)usage["completion_tokens"]! : completion;
            foreach (JsonNode? choice in part["choices"]!.AsArray())
            {
                int index = (int)choice!["index"]!;
                texts[index] += (string)choice["text"]!;
                reasons[index] = (string?)choice["finish_reason"] ?? "";
                scored[index] += choice["logprobs"]!["tokens"]!.AsArray().Count;
            }
        }
        for (int i = 0; i < 3; i++)
        {
            JsonNode choice = whole["choices"]![i]!;
            Assert.AreEqual(((string?)choice["text"], (string?)choice["finish_reason"]), (texts[i], reasons[i]));
            Assert.AreEqual(choice["logprobs"]!["tokens"]!.AsArray().Count, scored[i]);
            StringAssert.StartsWith(texts[i], prompts[i]);
        }
        Assert.AreEqual((int)whole["usage"]!["completion_tokens"]!, completion);
        JsonNode alone = (await server.PostAsync("/v1/completions", Request("one", stream: false))).Body;
        Assert.AreEqual((string?)alone["choices"]![0]!["text"], texts[0], "a prompt gets what it gets alone");
    }

    // Every row of the whole text anew, without a cache. [T,V]
    private static double[,] LogProbabilities(TestServer server, int[] ids)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        Tensor logits = server.Transformer.Scoring.Model.Network.call(tensor([.. ids.Select(id => (long)id)], [1, ids.Length]))[0];
        double[] all = [.. nn.functional.log_softmax(logits.to(float64), -1).data<double>()];
        double[,] rows = new double[ids.Length, all.Length / ids.Length];
        Buffer.BlockCopy(all, 0, rows, 0, all.Length * sizeof(double));
        return rows;
    }
}
