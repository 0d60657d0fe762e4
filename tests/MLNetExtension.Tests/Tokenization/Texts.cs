using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace MLNetExtension.Tests.Tokenization;

/// <summary>Generated texts: many scripts, emoji, lone surrogates, and what looks like markup to a tokenizer.</summary>
internal static class Texts
{
    private static readonly string[] Fixed =
    [
        "", "hello, world", "\0", "\r\n", "\uFEFF", "\uFFFD", "<|endoftext|>", "Größe", "Привет", "שלום", "مرحبا", "नमस्ते", "日本語", "안녕", "ไทย",
        "e\u0301", "👩‍👩‍👧", "🏳️‍🌈", "𝒳", "\U0010FFFF", "\uD800", "\uDBFF", "\uDC00", "\uDFFF", "\uDC00\uD800", "\u0080", "\u07FF", "\u0800", "\uD7FF", "\uE000",
    ];

    private static readonly Gen<string> Piece = Gen.OneOf(
        Gen.Elements(Fixed),
        Gen.Choose(0, 0x7F).Select(code => ((char)code).ToString()),
        Gen.Choose(0, 0xFFFF).Select(code => ((char)code).ToString()),
        Gen.Choose(0xD800, 0xDFFF).Select(code => ((char)code).ToString()),
        Gen.Choose(0x10000, 0x10FFFF).Select(char.ConvertFromUtf32));

    public static Arbitrary<string> Any { get; } = Arb.From(Gen.ListOf(Piece).Select(string.Concat), Shrink);

    public static Arbitrary<string> WellFormed { get; } = Arb.From(Gen.ListOf(Piece).Select(pieces => Repair(string.Concat(pieces))), Shrink);

    /// <summary>Bytes among which beginnings and ends of multi-byte characters, and the encoded surrogates, are frequent.</summary>
    public static Arbitrary<int[]> Ids { get; } = Arb.From(Gen.ArrayOf(Gen.OneOf(
        Gen.Choose(0, 0x100),
        Gen.Choose(0x80, 0xBF),
        Gen.Elements(0x41, 0xC2, 0xE2, 0xED, 0xF0, 0xF4, 0x80, 0x9F, 0xA0, 0xAF, 0xB0, 0xBF, 0x100))));

    /// <summary>The same cases in every run.</summary>
    public static void ForAll<T>(Arbitrary<T> cases, Func<T, bool> holds) =>
        Prop.ForAll(cases, holds).Check(Config.QuickThrowOnFailure.WithMaxTest(1000).WithReplay(20240229, 7));

    private static string Repair(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static IEnumerable<string> Shrink(string text) =>
        Enumerable.Range(0, text.Length).Select(i => text.Remove(i, 1));
}
