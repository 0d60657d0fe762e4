using MLNetExtension.Generation;

namespace MLNetExtension.Tests.Generation;

/// <summary>Prompts as texts, in place of their ids.</summary>
internal static class TextGeneratorExtensions
{
    public static string Generate(this TextGenerator generator, string prompt, GenerationOptions? options = null) => generator.Generate(generator.Encode(prompt), options);

    public static IReadOnlyList<string> Generate(this TextGenerator generator, string[] prompts, GenerationOptions? options = null) =>
        generator.Generate([.. prompts.Select(generator.Encode)], options);

    public static IEnumerable<string> Stream(this TextGenerator generator, string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        generator.Stream(generator.Encode(prompt), options, cancellationToken);

    public static IAsyncEnumerable<string> StreamAsync(this TextGenerator generator, string prompt, GenerationOptions? options = null) =>
        generator.StreamAsync(generator.Encode(prompt), options);
}
