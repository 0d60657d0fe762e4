using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML;
using Samples.Errors;
using Samples.Jobs;
using Samples.Serving;

namespace Samples.Commands;

/// <summary><c>serve</c>: serves a model over HTTP, with a page to chat with.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        Option<string> model = OptionFactory.ModelOrFolder();
        Option<string?> name = new("--name") { Description = "What requests call the model. Default: the name of its file or folder.", HelpName = "NAME" };
        Option<int> port = OptionFactory.Integer("--port", 5000, 0, "The port to listen on, of this machine alone; 0 for any that is free.");
        Option<string?> urls = new("--urls") { Description = "Addresses to listen on in place of --port, such as http://0.0.0.0:5000; several with ; between them.", HelpName = "URLS" };
        Option<string?> key = new("--api-key") { Description = "The key that requests must have. Default: none is asked for.", HelpName = "KEY" };
        Option<int> tokens = OptionFactory.Integer("--max-tokens", 1024, 1, "Most tokens of an answer.");
        Option<int> body = OptionFactory.Integer("--max-body", 4 << 20, 1, "Most bytes of a request.");
        Option<int> queue = OptionFactory.Integer("--queue", 128, 1, "Most texts that are generated or wait; further requests are refused.");
        Option<DeviceChoice> device = OptionFactory.Device();
        var command = new Command("serve", "Serves a saved or a published model over HTTP as OpenAI's API has it, with a page to chat with.") { model, name, port, urls, key, tokens, body, queue, device };
        command.SetReportingAction(parsed =>
        {
            string place = parsed.GetRequiredValue(model);
            string[] addresses = parsed.GetValue(urls)?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [$"http://127.0.0.1:{parsed.GetValue(port)}"];
            if (addresses.FirstOrDefault(url => !Uri.TryCreate(url.Replace("*", "any"), UriKind.Absolute, out Uri? uri) || uri.Scheme != "http") is { } bad)
                throw new UserErrorException($"--urls has '{bad}'; allowed are addresses such as http://127.0.0.1:5000.");
            ServerSettings settings = new(addresses, parsed.GetValue(key), parsed.GetValue(tokens), parsed.GetValue(body), parsed.GetValue(queue));
            MLContext mlContext = parsed.GetValue(device).CreateContext(seed: 1);
            using TrainedModel saved = TrainedModel.Open(mlContext, place);
            ServedModel served = new(saved.LanguageModel, parsed.GetValue(name) ?? Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(place)), settings);
            return RunAsync(served, parsed.InvocationConfiguration.Output).GetAwaiter().GetResult();
        });
        return command;
    }

    private static async Task<object> RunAsync(ServedModel model, TextWriter output)
    {
        using var signals = new EndSignals();
        long start = Stopwatch.GetTimestamp();
        await using ModelServer server = await ModelServer.StartAsync(model);
        foreach (string address in server.Addresses)
            output.WriteLine($"'{model.Name}' at {address}/ (a page) and {address}/v1 (an API, {(model.Settings.ApiKey is null ? "without a key" : "with a key")}). Ctrl+C ends it.");
        await Task.Delay(Timeout.Infinite, signals.CancellationToken).ContinueWith(_ => { }, TaskScheduler.Default);
        (long requests, long tokens) = model.Done;
        output.WriteLine($"Ended after {requests} requests and {tokens} tokens.");
        return new { Model = model.Name, server.Addresses, Requests = requests, Tokens = tokens, Stopwatch.GetElapsedTime(start).TotalSeconds };
    }
}
