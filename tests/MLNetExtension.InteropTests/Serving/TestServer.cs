using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.ML;
using MLNetExtension.Generation;
using Samples.Jobs;
using Samples.Serving;

namespace MLNetExtension.InteropTests.Serving;

/// <summary>A server of a small model, on a port of its own, with a client for it.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly string _folder;
    private readonly TrainedModel _owner;

    private TestServer(string folder, TrainedModel owner, ServedModel model, ModelServer server)
    {
        (_folder, _owner, Model, Server) = (folder, owner, model, server);
        Client = new HttpClient { BaseAddress = new Uri(Address), Timeout = TimeSpan.FromSeconds(60) };
    }

    public ServedModel Model { get; }

    public ModelServer Server { get; }

    public CausalLanguageModelTransformer Transformer => _owner.LanguageModel;

    public string Address => Server.Addresses.Single();

    public RunningBatch Batch => Model.Scoring.Batch;

    public HttpClient Client { get; }

    private bool IsIdle => Batch.Count == 0 && Model.FreePlaces == Model.Settings.MaximumTexts;

    /// <summary>Starts one.</summary>
    /// <param name="change">Changes the settings. Default: one text is at most 256 tokens.</param>
    /// <param name="contextLength">Of the model.</param>
    public static async Task<TestServer> StartAsync(Func<ServerSettings, ServerSettings>? change = null, int contextLength = SmallChatModel.ContextLength)
    {
        string folder = Directory.CreateTempSubdirectory("serve-").FullName;
        TrainedModel owner = TrainedModel.Open(new MLContext(seed: 1), SmallChatModel.Write(folder, contextLength));
        ServerSettings settings = new(["http://127.0.0.1:0"], MaximumTokens: contextLength / 2);
        ServedModel model = new(owner.LanguageModel, "small", change?.Invoke(settings) ?? settings);
        return new TestServer(folder, owner, model, await ModelServer.StartAsync(model));
    }

    /// <summary>Sends a request and returns status and body.</summary>
    public async Task<(int Status, JsonNode Body)> PostAsync(string path, object request)
    {
        using HttpResponseMessage response = await Client.PostAsJsonAsync(path, request);
        return ((int)response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>())!);
    }

    /// <summary>Sends a request for a stream and gives its events as they come.</summary>
    public async IAsyncEnumerable<JsonNode> StreamAsync(string path, object request, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using HttpRequestMessage message = new(HttpMethod.Post, path) { Content = JsonContent.Create(request) };
        using HttpResponseMessage response = await Client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        Assert.AreEqual("text/event-stream", response.Content.Headers.ContentType?.MediaType, response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync(cancellationToken));
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(cancellationToken));
        bool ended = false;
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length == 0)
                continue;
            Assert.IsFalse(ended, line);
            StringAssert.StartsWith(line, "data: ");
            ended = line == "data: [DONE]";
            if (!ended)
                yield return JsonNode.Parse(line["data: ".Length..])!;
        }
        Assert.IsTrue(ended, "a stream ends with [DONE]");
    }

    /// <summary>Waits until the server generates nothing and holds no place.</summary>
    public async Task WaitUntilIdleAsync()
    {
        for (int i = 0; i < 500 && !IsIdle; i++)
            await Task.Delay(20);
        Assert.IsTrue(IsIdle, $"{Batch.Count} texts are generated, {Model.Settings.MaximumTexts - Model.FreePlaces} places are taken");
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        _owner.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
