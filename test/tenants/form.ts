/** A body that goes out as a form with a file. */
export class FormBody {
  readonly fields: Readonly<Record<string, string>>
  readonly file: { readonly field: string; readonly name: string; readonly text: string }

  constructor(file: FormBody['file'], fields: Readonly<Record<string, string>> = {}) {
    this.file = file
    this.fields = fields
  }

  /** The same with one more field, of any name. */
  with(name: string, value: string): FormBody {
    return new FormBody(this.file, { ...this.fields, [name]: value })
  }

  /** @returns the head that says so, and the bytes */
  encoded(): { type: string; bytes: string } {
    const boundary = 'the-boundary-of-a-form'
    const part = (head: string, text: string) =>
      `--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n${text}\r\n`
    const { field, name, text } = this.file
    const fields = Object.entries(this.fields).map(([key, value]) => part(`name="${key}"`, value))
    const bytes = [part(`name="${field}"; filename="${name}"`, text), ...fields, `--${boundary}--\r\n`].join('')
    return { type: `multipart/form-data; boundary=${boundary}`, bytes }
  }
}
