using System.CommandLine;
using MLNetExtension;
using Samples.Jobs;

namespace Samples.Commands;

/// <summary>The options of <c>train</c> and <c>finetune</c> that say what is minimized.</summary>
internal static class LossArguments
{
    /// <summary>Adds them to a command.</summary>
    public static void AddTo<T>(SettingsCommand<T> command) where T : ITrainingRecipe, new()
    {
        AddLoss(command);
        AddTeacher(command);
    }

    private static void AddLoss<T>(SettingsCommand<T> command) where T : ITrainingRecipe, new()
    {
        Option<LossChoice> loss = OptionFactory.Choice("--loss", LossChoice.CrossEntropy, "What a target costs: Dft multiplies its cross entropy by its probability, Focal by a power of the rest.");
        Option<double?> gamma = OptionFactory.OptionalNumber("--focal-gamma", "Power of the focal loss; needs --loss focal. Default: 2.", value => value is >= 0 and <= 100, "from 0 to 100");
        Option<double> smoothing = OptionFactory.Number("--label-smoothing", 0, "Share of a target's probability that is spread over all tokens.", value => value is >= 0 and < 1, "from 0 to below 1");
        Option<double> zLoss = OptionFactory.Number("--z-loss", 0, "Coefficient of the squared logarithm of the softmax's normalizer.");
        foreach (Option option in (Option[])[loss, gamma, smoothing, zLoss])
            command.Add(option);
        command.Validators.Add(result =>
        {
            string? kind = result.GetResult(loss)?.Tokens.SingleOrDefault()?.Value;
            if (result.GetResult(gamma) is not null && !nameof(LossChoice.Focal).Equals(kind, StringComparison.OrdinalIgnoreCase))
                result.AddError("--focal-gamma needs --loss focal.");
        });
        command.Configure((recipe, parsed) => recipe.Settings.Options.Loss = recipe.Settings.Options.Loss with
        {
            Kind = parsed.GetValue(loss).ToKind(parsed.GetValue(gamma)), LabelSmoothing = parsed.GetValue(smoothing), ZLoss = parsed.GetValue(zLoss),
        });
    }

    private static void AddTeacher<T>(SettingsCommand<T> command) where T : ITrainingRecipe, new()
    {
        DistillationOptions defaults = new() { Teacher = TeacherModel.Pretrained("") };
        Option<string?> teacher = new("--teacher")
        {
            Description = "A model to learn from beside the rows: a folder with a published one, or one that train or finetune saved; it has the same tokenizer. Default: none.", HelpName = "DIR|FILE",
        };
        Option<double?> share = OptionFactory.OptionalNumber(
            "--teacher-share", $"Weight of the teacher's part of the loss; the rest is the cross entropy's. Default: {defaults.Share}.", value => value is > 0 and <= 1, "above 0 and at most 1");
        Option<double?> temperature = OptionFactory.OptionalNumber(
            "--teacher-temperature", $"What logits are divided by in the teacher's part. Default: {defaults.Temperature}.", value => value is >= 0.01 and <= 100, "from 0.01 to 100");
        Option<DivergenceChoice?> divergence = OptionFactory.OptionalChoice<DivergenceChoice>("--divergence", "How far the model is from its teacher. Default: ForwardKl.");
        foreach (Option option in (Option[])[teacher, share, temperature, divergence])
            command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetResult(teacher) is null && (result.GetResult(share) ?? result.GetResult(temperature) ?? result.GetResult(divergence)) is not null)
                result.AddError("--teacher-share, --teacher-temperature and --divergence need --teacher.");
        });
        command.Configure((recipe, parsed) => recipe.Settings.Teacher = parsed.GetValue(teacher) is not { } place ? null : new TeacherSettings(
            place, (parsed.GetValue(divergence) ?? DivergenceChoice.ForwardKl).ToDivergence(), parsed.GetValue(share) ?? defaults.Share, parsed.GetValue(temperature) ?? defaults.Temperature));
    }
}
