using System.CommandLine;

namespace Samples.Commands;

/// <summary>The option that names a saved model.</summary>
internal static class ModelOption
{
    public static Option<string> Create() => new("--model")
    {
        Description = "A model that train or finetune saved.",
        HelpName = "FILE",
        DefaultValueFactory = _ => Path.Combine("artifacts", "train", "model.zip"),
    };
}
