"""A page in the browser on this machine: photographs, clips and the webcam, read and looked at.

    limits -> reading (what models say of a file) -> figures, timeline (HTML) -> page -> serve

`handlers` is what the page asks for, without a browser; `page` alone and `serve` know Gradio.
"""
