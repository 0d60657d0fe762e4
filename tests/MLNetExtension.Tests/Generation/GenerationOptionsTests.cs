using MLNetExtension.Generation;

namespace MLNetExtension.Tests.Generation;

[TestClass]
public sealed class GenerationOptionsTests
{
    [TestMethod]
    public void The_defaults_and_the_limits_are_allowed()
    {
        new GenerationOptions().Validate();
        new GenerationOptions { MaximumNewTokens = 1, Temperature = 0, TopK = 1, TopP = 1, Seed = -1 }.Validate();
        new GenerationOptions { TopP = double.Epsilon, MinP = 1, RepetitionPenalty = 0.5, StopStrings = ["a", "b"] }.Validate();
    }

    [TestMethod]
    public void What_is_not_allowed_is_refused_by_name_with_value_and_limits()
    {
        AssertRefused(new() { MaximumNewTokens = 0 }, "MaximumNewTokens must be 1 or more; it is 0.");
        AssertRefused(new() { Temperature = -0.5 }, "Temperature must be 0 or more, and finite; it is -0.5.");
        AssertRefused(new() { Temperature = double.NaN }, "Temperature must be 0 or more, and finite; it is NaN.");
        AssertRefused(new() { Temperature = double.PositiveInfinity }, "Temperature must be 0 or more, and finite; it is Infinity.");
        AssertRefused(new() { TopK = 0 }, "TopK must be null, or 1 or more; it is 0.");
        AssertRefused(new() { TopP = 0 }, "TopP must be above 0 and at most 1; it is 0.");
        AssertRefused(new() { TopP = 1.5 }, "TopP must be above 0 and at most 1; it is 1.5.");
        AssertRefused(new() { TopP = double.NaN }, "TopP must be above 0 and at most 1; it is NaN.");
        AssertRefused(new() { MinP = -0.1 }, "MinP must be from 0 to 1; it is -0.1.");
        AssertRefused(new() { MinP = double.NaN }, "MinP must be from 0 to 1; it is NaN.");
        AssertRefused(new() { RepetitionPenalty = 0 }, "RepetitionPenalty must be above 0, and finite; it is 0.");
        AssertRefused(new() { RepetitionPenalty = double.NaN }, "RepetitionPenalty must be above 0, and finite; it is NaN.");
        AssertRefused(new() { StopStrings = ["a", ""] }, "StopStrings must be a list of strings that are not empty; it is [a, ].");
        AssertRefused(new() { StopStrings = null! }, "StopStrings must be a list of strings that are not empty; it is null.");
    }

    private static void AssertRefused(GenerationOptions options, string message)
    {
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(options.Validate);
        Assert.StartsWith(message, error.Message);
    }
}
