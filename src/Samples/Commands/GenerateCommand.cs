using System.CommandLine;
using System.Diagnostics;
using System.Text;
using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Generation;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Commands;

/// <summary><c>generate</c>: a saved model continues a prompt.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        Option<string> model = ModelOption.Create();
        Option<string> prompt = new("--prompt") { Description = "The text to continue.", HelpName = "TEXT", Required = true };
        Option<double> temperature = OptionFactory.Number("--temperature", 0.7, value => value >= 0 && double.IsFinite(value), "at least 0", "0 always takes the likeliest token; higher is more varied.");
        Option<int?> topK = OptionFactory.OptionalInteger("--top-k", 1, "Draw from the K likeliest tokens only.");
        Option<double> topP = OptionFactory.Number("--top-p", 1, value => value is > 0 and <= 1, "above 0 to 1", "Draw from the likeliest tokens that together have this probability.");
        Option<int> maximumTokens = OptionFactory.Integer("--max-new-tokens", 200, 1, "Most tokens to write.");
        Option<int> seed = OptionFactory.Seed("what is drawn: the same seed gives the same text");
        Option<DeviceChoice> device = OptionFactory.Device();
        Option<string?> json = OptionFactory.JsonFile();
        var command = new Command("generate", "Lets a saved model continue a prompt and shows the text as it comes.") { model, prompt, temperature, topK, topP, maximumTokens, seed, device, json };
        command.SetAction(parsed =>
        {
            string modelFile = parsed.GetRequiredValue(model), given = parsed.GetRequiredValue(prompt);
            var options = new GenerationOptions
            {
                MaximumNewTokens = parsed.GetValue(maximumTokens),
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                Seed = parsed.GetValue(seed),
            };
            MLContext mlContext = parsed.GetValue(device).CreateContext(options.Seed.Value);
            using SavedModel saved = SavedModel.Load(mlContext, modelFile);
            PromptedTextGenerator generator = mlContext.CausalLanguageModeling.CreateTextGenerator(saved.Model);

            TextWriter output = parsed.InvocationConfiguration.Output;
            using var interrupt = new Interrupt();
            var text = new StringBuilder();
            long start = Stopwatch.GetTimestamp();
            foreach (string piece in generator.Stream(saved.Kind == RowKind.Prompts ? PromptFormat.Terminate(given) : given, options, interrupt.Token))
            {
                text.Append(piece);
                output.Write(piece);
                output.Flush();
            }
            output.WriteLine();
            if (parsed.GetValue(json) is { } file)
                AtomicFile.WriteAllText(file, Json.Indented(new GenerateReport(modelFile, given, text.ToString(), Stopwatch.GetElapsedTime(start).TotalSeconds, PackageVersions.Read())));
            return SamplesApp.Success;
        });
        return command;
    }
}
